// Builds the page's script and style from src/ into the Python package (or into the folder that is named).
import { build } from "esbuild";

const out = process.argv[2] ?? "../pmmc_check/report/page";
const common = { bundle: true, minify: true, charset: "utf8", legalComments: "none", logLevel: "warning", target: ["es2022", "chrome100", "firefox115", "safari16.4"] };
await build({ ...common, entryPoints: ["src/app.ts"], outfile: `${out}/page.js`, format: "iife" });
await build({ ...common, entryPoints: ["src/page.css"], outfile: `${out}/page.css` });
