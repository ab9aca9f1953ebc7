// Builds the explorer's script and style from src/explorer/ into the Python package (or into the folder that is named).
import { build } from "esbuild";

const out = process.argv[2] ?? "../pmmc_check/explorer/server/assets";
const common = { bundle: true, minify: true, charset: "utf8", legalComments: "none", logLevel: "warning", target: ["es2022", "chrome100", "firefox115", "safari16.4"] };
await build({ ...common, entryPoints: ["src/explorer/main.ts"], outfile: `${out}/explorer.js`, format: "iife" });
await build({ ...common, entryPoints: ["src/explorer/explorer.css"], outfile: `${out}/explorer.css` });
