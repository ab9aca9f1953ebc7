// Builds the script and style of the cluster's page from src/cluster/ into the Python package (or into the folder that is named).
import { build } from "esbuild";

const out = process.argv[2] ?? "../pmmc_check/runtime/page";
const common = { bundle: true, minify: true, charset: "utf8", legalComments: "none", logLevel: "warning", target: ["es2022", "chrome100", "firefox115", "safari16.4"] };
await build({ ...common, entryPoints: ["src/cluster/main.ts"], outfile: `${out}/cluster.js`, format: "iife" });
await build({ ...common, entryPoints: ["src/cluster/cluster.css"], outfile: `${out}/cluster.css` });
