"""One self-contained HTML page for runs and searches. Its script and style are built from `web/` (TypeScript) and lie here as `page.js` and `page.css`."""
