// A session with the language server of TOML editors (taplo, as VS Code's "Even Better TOML" runs it): profiles are opened,
// and what it underlines, completes and says on hovering must come from our JSON Schema.
// Usage: node session.mjs MODULES SCHEMA PROFILES BAD-PROFILES BINARY
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

const [modules, schema, profiles, bad, binary] = process.argv.slice(2).map((argument) => path.resolve(argument));
const { TaploLsp } = createRequire(path.join(modules, "/"))("@taplo/lsp");

let failed = 0;
function check(what, right, seen) {
  console.log(right ? `ok    ${what}` : `FAIL  ${what}: ${JSON.stringify(seen)}`);
  if (!right) failed += 1;
}

// Nothing here takes long; a server that says nothing for so long is not going to.
setTimeout(() => {
  console.log("FAIL  the language server said nothing for four minutes");
  process.exit(1);
}, 240_000).unref();

const settings = {
  schema: {
    enabled: true,
    associations: { ".*\\.toml": pathToFileURL(schema).href },
    catalogs: [],
    links: false,
    cache: { memoryExpiration: 60, diskExpiration: 600 },
  },
  completion: { maxKeys: 5 },
};

const waiting = new Map();
const diagnostics = new Map();
let told = () => {};

function onMessage(message) {
  if (message.method === "textDocument/publishDiagnostics") {
    diagnostics.set(message.params.uri, message.params.diagnostics);
    told();
  } else if (message.method === "workspace/configuration") {
    server.send({ jsonrpc: "2.0", id: message.id, result: message.params.items.map(() => settings) });
  } else if (message.method && message.id !== undefined) {
    server.send({ jsonrpc: "2.0", id: message.id, result: null });
  } else if (waiting.has(message.id)) {
    waiting.get(message.id)(message.result);
    waiting.delete(message.id);
  }
}

const quiet = async (bytes) => bytes.length;
const server = await TaploLsp.initialize(
  {
    cwd: () => profiles,
    envVar: () => undefined,
    envVars: () => [],
    findConfigFile: () => undefined,
    glob: () => [],
    isAbsolute: (file) => path.isAbsolute(file),
    now: () => new Date(),
    readFile: (file) => fs.promises.readFile(file),
    writeFile: async () => {},
    stdErrAtty: () => false,
    stdin: async () => new Uint8Array(),
    stdout: quiet,
    stderr: quiet,
    // It asks for odd places too, which are nowhere.
    urlToFilePath: (url) => (url.startsWith("file:") ? fileURLToPath(url) : "/nowhere"),
  },
  { onMessage },
);

let last = 0;
function ask(method, params) {
  last += 1;
  const answer = new Promise((resolve) => waiting.set(last, resolve));
  server.send({ jsonrpc: "2.0", id: last, method, params });
  return answer;
}

function tell(method, params) {
  server.send({ jsonrpc: "2.0", method, params });
}

const uri = (name) => pathToFileURL(path.join(profiles, name)).href;

/** Opens a document, and gives the messages of what is underlined in it. */
async function opened(name, text) {
  diagnostics.delete(uri(name));
  tell("textDocument/didOpen", { textDocument: { uri: uri(name), languageId: "toml", version: 1, text } });
  // Without a mistake it says so too, and it may speak twice: of the syntax first, then of the schema.
  let quietSince = Date.now();
  told = () => {
    quietSince = Date.now();
  };
  while (!diagnostics.has(uri(name)) || Date.now() - quietSince < 300) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return diagnostics.get(uri(name)).map((entry) => entry.message);
}

/** What is offered where the text has a bar. */
async function completed(name, text) {
  const before = text.split("|")[0];
  await opened(name, text.replace("|", ""));
  const position = { line: before.split("\n").length - 1, character: before.length - before.lastIndexOf("\n") - 1 };
  const result = await ask("textDocument/completion", { textDocument: { uri: uri(name) }, position });
  return (result?.items ?? result ?? []).map((item) => item.label.replaceAll('"', ""));
}

await ask("initialize", {
  processId: null,
  rootUri: pathToFileURL(profiles).href,
  initializationOptions: { configurationSection: "evenBetterToml" },
  workspaceFolders: [{ uri: pathToFileURL(profiles).href, name: "profiles" }],
  capabilities: { workspace: { configuration: true, workspaceFolders: true } },
});
tell("initialized", {});

for (const name of fs.readdirSync(profiles).filter((name) => name.endsWith(".toml")).sort()) {
  const found = await opened(name, fs.readFileSync(path.join(profiles, name), "utf8"));
  check(`${name}: nothing is underlined`, found.length === 0, found);
}

// What the schema refuses, the program refuses too; and the schema can say most of what is wrong with single values.
const refused = [];
for (const name of fs.readdirSync(bad).filter((name) => name.endsWith(".toml")).sort()) {
  const file = path.join(bad, name);
  if ((await opened(name, fs.readFileSync(file, "utf8"))).length > 0) {
    const { status } = spawnSync(binary, ["validate", "-q", file]);
    if (status !== 1) check(`${name}: is refused by the program too`, false, status);
    refused.push(name);
  }
}
check(`${refused.length} bad profiles are underlined`, refused.length >= 20, refused);

for (const [name, text] of Object.entries({
  "mistyped.toml": '[zswap]\ncompresor = "lz4"\n',
  "type.toml": '[zswap]\nenabled = "yes"\n',
  "range.toml": "[zswap]\nmax_pool_percent = 101\n",
  "choice.toml": '[swap]\npersist = "maybe"\n',
  "image.toml": '[services.llm]\nimage = "postgres:17"\n',
  "port.toml": '[services.llm]\npublish = ["http"]\n',
  "waiver.toml": '[waivers.CT-ZSWAP-1]\nreason = "x"\n',
})) {
  const found = await opened(name, text);
  check(`${name}: the mistake is underlined`, found.length > 0, found);
}

for (const [name, text, wanted] of [
  ["sections.toml", "|\n", ["zswap", "swap", "memory", "extends"]],
  ["keys.toml", "[zswap]\n|\n", ["compressor", "max_pool_percent", "shrinker"]],
  ["reserve.toml", "[memory]\n|\n", ["reserve", "at_least"]],
  ["service.toml", "[services.llm]\n|\n", ["memory", "image", "publish", "cpus"]],
  ["values.toml", "[swap]\npersist = |\n", ["auto", "fstab", "unit"]],
  ["parameters.toml", "[sysctl]\n|\n", ["vm.swappiness", "vm.dirty_bytes"]],
]) {
  const offered = await completed(name, text);
  check(`${name}: offers ${wanted.join(", ")}`, wanted.every((word) => offered.includes(word)), offered);
}

await opened("hover.toml", '[zswap]\ncompressor = "lz4"\n');
const hover = await ask("textDocument/hover", {
  textDocument: { uri: uri("hover.toml") },
  position: { line: 1, character: 3 },
});
check("hover.toml: says what the key is", JSON.stringify(hover).includes("The compressor, as the kernel spells it."), hover);

process.exit(failed ? 1 : 0);
