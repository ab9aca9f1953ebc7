"""One self-contained HTML page for runs and searches. Its script and style are built from `web/` and lie here: page.js and page.css."""
