// node tokens.js GRAMMAR FILE ...: prints, as JSON, for each file its lines, each a list of [start, end, innermost scope].
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const oniguruma = require("vscode-oniguruma");
const textmate = require("vscode-textmate");

async function main([grammarFile, ...files]) {
  const wasm = fs.readFileSync(path.join(path.dirname(require.resolve("vscode-oniguruma")), "onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const text = fs.readFileSync(grammarFile, "utf8");
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (line) => new oniguruma.OnigString(line),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(text, grammarFile),
  });
  const grammar = await registry.loadGrammar(JSON.parse(text).scopeName);
  const all = files.map((file) => {
    let state = textmate.INITIAL;
    return fs.readFileSync(file, "utf8").split(/\r?\n/).map((line) => {
      const { tokens, ruleStack } = grammar.tokenizeLine(line, state);
      state = ruleStack;
      return tokens.map(({ startIndex, endIndex, scopes }) => [startIndex, Math.min(endIndex, line.length), scopes[scopes.length - 1]]);
    });
  });
  process.stdout.write(JSON.stringify(all));
}

main(process.argv.slice(2));
