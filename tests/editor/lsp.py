#!/usr/bin/env python3
"""Talks to taplo's language server as an editor does: opens profiles, and looks at the diagnostics and completions that it
makes of our JSON Schema. Usage: lsp.py TAPLO SCHEMA PROFILE_DIR"""

import json
import pathlib
import subprocess
import sys
import threading

taplo, schema, profiles = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
failed = 0


def check(what, right, seen=""):
    global failed
    print(("ok   " if right else "FAIL ") + what + ("" if right else f": {seen}"))
    failed += not right


server = subprocess.Popen([taplo, "lsp", "--no-auto-config", "stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
# A server that says nothing for so long is not going to.
guard = threading.Timer(120, server.kill)
guard.start()
last_id = 0
diagnostics = {}
SETTINGS = {
    "schema": {"enabled": True, "associations": {".*\\.toml": schema.as_uri()}, "catalogs": [], "links": False,
               "cache": {"memoryExpiration": 60, "diskExpiration": 600}},
    "completion": {"maxKeys": 5},
    "taplo": {"configFile": {"enabled": False, "path": None}},
}


def send(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    server.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    server.stdin.flush()


def receive():
    length = 0
    while True:
        line = server.stdout.readline()
        if not line:
            sys.exit("FAIL the language server ended or said nothing")
        line = line.decode().strip()
        if not line:
            break
        name, value = line.split(":", 1)
        if name.lower() == "content-length":
            length = int(value)
    return json.loads(server.stdout.read(length))


def handle(message):
    """What the server asks and tells of its own accord."""
    if message.get("method") == "textDocument/publishDiagnostics":
        diagnostics.setdefault(message["params"]["uri"], []).append(message["params"]["diagnostics"])
    elif message.get("method") == "workspace/configuration":
        send({"id": message["id"], "result": [SETTINGS for _ in message["params"]["items"]]})
    elif "id" in message and "method" in message:
        send({"id": message["id"], "result": None})


def ask(method, params):
    global last_id
    last_id += 1
    send({"id": last_id, "method": method, "params": params})
    while True:
        message = receive()
        if message.get("id") == last_id and "method" not in message:
            return message.get("result")
        handle(message)


def diagnosed(name, text):
    """The diagnostics of a document: the last that come, once a later question is answered."""
    uri = (profiles / name).as_uri()
    send({"method": "textDocument/didOpen",
          "params": {"textDocument": {"uri": uri, "languageId": "toml", "version": 1, "text": text}}})
    while uri not in diagnostics:
        handle(receive())
    ask("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    return [entry["message"] for entry in diagnostics[uri][-1]]


def completions(name, text):
    """What is offered at the `|` of the text."""
    before = text.split("|")[0]
    diagnosed(name, text.replace("|", ""))
    position = {"line": before.count("\n"), "character": len(before.rsplit("\n", 1)[-1])}
    result = ask("textDocument/completion", {"textDocument": {"uri": (profiles / name).as_uri()}, "position": position})
    items = result["items"] if isinstance(result, dict) else result or []
    return [item["label"] for item in items]


ask("initialize", {
    "processId": None, "rootUri": profiles.as_uri(), "initializationOptions": {"cachePath": None, "configurationSection": "evenBetterToml"},
    "workspaceFolders": [{"uri": profiles.as_uri(), "name": "profiles"}],
    "capabilities": {"workspace": {"configuration": True, "workspaceFolders": True}},
})
send({"method": "initialized", "params": {}})

for path in sorted(profiles.glob("*.toml")):
    found = diagnosed(path.name, path.read_text())
    check(f"{path.name} has nothing wrong with it", found == [], found)

for name, text, word in [
    ("unknown.toml", "[zswap]\ncompresor = \"lz4\"\n", "compresor"),
    ("type.toml", "[zswap]\nenabled = \"yes\"\n", "boolean"),
    ("range.toml", "[zswap]\nmax_pool_percent = 101\n", "100"),
    ("sysctl.toml", "[sysctl]\n\"vm.swappiness\" = 201\n", ""),
    ("nested.toml", "[services.llm]\nimage = \"postgres:17\"\n", ""),
]:
    found = diagnosed(name, text)
    check(f"{name}: a mistake is underlined", any(word in message for message in found), found)

for name, text, wanted in [
    ("top.toml", "|\n", {"zswap", "swap", "memory", "extends"}),
    ("keys.toml", "[zswap]\n|\n", {"compressor", "max_pool_percent", "shrinker"}),
    ("service.toml", "[services.llm]\n|\n", {"memory", "image", "publish", "cpus"}),
    ("values.toml", "[swap]\npersist = |\n", {"\"auto\"", "\"fstab\"", "\"unit\""}),
    ("parameters.toml", "[sysctl]\n|\n", {"\"vm.swappiness\""}),
]:
    offered = completions(name, text)
    plain = {label.strip("\"") for label in offered}
    check(f"{name}: completes", {word.strip("\"") for word in wanted} <= plain, offered)

text = "[zswap]\ncompressor = \"lz4\"\n"
diagnosed("hover.toml", text)
hover = ask("textDocument/hover", {"textDocument": {"uri": (profiles / "hover.toml").as_uri()},
                                  "position": {"line": 1, "character": 3}})
check("hover.toml: says what a key is", "The compressor, as the kernel spells it." in json.dumps(hover), hover)

ask("shutdown", None)
send({"method": "exit"})
server.stdin.close()
guard.cancel()
server.kill()
server.wait()
sys.exit(1 if failed else 0)
