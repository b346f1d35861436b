/// The page of `GET /docs`: forms for every endpoint, built in the browser from `/openapi.json`, so that it shows what is
/// served. One document without outside assets; answers are shown as text, never as markup.
enum DocsPage {
    static let html: StaticString = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'">
        <link rel="icon" href="data:,">
        <title>NextLoop: try the API</title>
        <style>
        :root { --page: #fff; --ink: #1c2024; --soft: #5b636b; --line: #d9dde1; --panel: #f5f6f8; --accent: #0b5fc0;
          --accent-ink: #fff; --good: #14713d; --bad: #b3261e; --mono: ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
        @media (prefers-color-scheme: dark) { :root { --page: #14171a; --ink: #e6e9ec; --soft: #9aa4ad; --line: #31373d;
          --panel: #1d2226; --accent: #74b0ff; --accent-ink: #0c1013; --good: #6fd39a; --bad: #ff9a92; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        a { color: var(--accent); }
        :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
        .skip { position: absolute; left: -999px; } .skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem; }
        header { padding: 1.25rem 1.5rem; border-bottom: 1px solid var(--line); }
        header h1 { margin: 0; font-size: 1.3rem; } header p { margin: .25rem 0 0; color: var(--soft); max-width: 75ch; }
        .columns { display: grid; grid-template-columns: 15rem minmax(0, 1fr); }
        nav { padding: 1rem 1.5rem; border-right: 1px solid var(--line); position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; }
        nav h2 { font-size: .8rem; color: var(--soft); margin: 1rem 0 .25rem; font-weight: 600; }
        nav ul { list-style: none; margin: 0; padding: 0; } nav a { display: block; padding: .15rem 0; text-decoration: none; font-size: .92rem; }
        nav a:hover { text-decoration: underline; }
        main { padding: 1rem 1.5rem 6rem; max-width: 62rem; }
        section { padding: 1.25rem 0; border-bottom: 1px solid var(--line); }
        section h2 { font: 600 1.05rem/1.4 var(--mono); margin: 0; overflow-wrap: anywhere; }
        .method { color: var(--accent); margin-right: .6em; }
        .summary { margin: .25rem 0; font-weight: 600; } .about { margin: .25rem 0 .9rem; color: var(--soft); max-width: 75ch; }
        .fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(13.5rem, 1fr)); gap: .8rem 1rem; align-items: start; }
        label { display: block; font: 600 .85rem var(--mono); } .must::after { content: " *"; color: var(--bad); }
        .hint { display: block; font-size: .78rem; line-height: 1.35; color: var(--soft); margin-top: .2rem; }
        input, select, textarea { width: 100%; margin-top: .2rem; padding: .4rem .5rem; font: .92rem var(--mono); color: inherit;
          background: var(--page); border: 1px solid var(--line); border-radius: 5px; }
        input::placeholder, textarea::placeholder { color: var(--soft); opacity: .8; }
        textarea { min-height: 13.5rem; resize: vertical; }
        button { margin-top: .9rem; padding: .45rem 1.1rem; font: 600 .95rem system-ui, sans-serif; color: var(--accent-ink);
          background: var(--accent); border: 0; border-radius: 5px; cursor: pointer; }
        button[disabled] { opacity: .6; cursor: default; }
        .answer { margin-top: 1rem; } .status { font-weight: 600; } .status.good { color: var(--good); } .status.bad { color: var(--bad); }
        pre { margin: .4rem 0 0; padding: .7rem .8rem; background: var(--panel); border: 1px solid var(--line); border-radius: 5px;
          font: .85rem/1.45 var(--mono); max-height: 26rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
        .scroll { overflow-x: auto; } table { border-collapse: collapse; margin-top: .6rem; font-size: .9rem; }
        th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
        details { margin-top: .5rem; } summary { cursor: pointer; color: var(--soft); font-size: .9rem; }
        @media (max-width: 46rem) { .columns { display: block; } nav { position: static; border-right: 0; border-bottom: 1px solid var(--line); max-height: none; }
          nav ul { columns: 2; } main, header, nav { padding-left: 1rem; padding-right: 1rem; } }
        </style>
        </head>
        <body>
        <a class="skip" href="#operations">Skip to the forms</a>
        <header><h1>NextLoop <span id="version"></span></h1><p id="intro">Loading /openapi.json…</p>
        <noscript><p>This page needs JavaScript. <a href="/openapi.json">/openapi.json</a> describes the same.</p></noscript></header>
        <div class="columns"><nav aria-label="Endpoints" id="nav"></nav><main id="operations" tabindex="-1"></main></div>
        <script>
        "use strict";
        const byId = id => document.getElementById(id);
        function make(tag, attributes, ...children) {
          const element = document.createElement(tag);
          for (const [name, value] of Object.entries(attributes || {})) if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
          element.append(...children);
          return element;
        }
        let spec;
        const resolve = schema => schema && schema.$ref ? schema.$ref.slice(2).split("/").reduce((node, key) => node[key], spec) : schema;
        function bounds(schema) {
          if (schema.type === "array") return "up to " + schema.maxItems + ", separated by commas";
          if (schema.type === "integer") return schema.maximum > 1e9 ? schema.minimum + " or more" : schema.minimum + " to " + schema.maximum;
          return "";
        }
        function field(operation, parameter) {
          const schema = resolve(parameter.schema), id = operation + "-" + parameter.name;
          let input;
          if (schema.type === "boolean") input = make("select", {id, name: parameter.name}, make("option", {value: ""}, "not given"), make("option", {}, "true"), make("option", {}, "false"));
          else if (schema.type === "integer") input = make("input", {id, name: parameter.name, type: "number", min: schema.minimum, max: schema.maximum, step: 1, required: parameter.required, placeholder: schema.default === undefined ? "none" : schema.default});
          else input = make("input", {id, name: parameter.name, type: "text", required: parameter.required, autocomplete: "off", spellcheck: "false", placeholder: schema.type === "array" ? "any" : ""});
          input.setAttribute("aria-describedby", id + "-hint");
          const range = bounds(schema);
          return make("div", {}, make("label", {for: id, class: parameter.required ? "must" : ""}, parameter.name), input,
            make("span", {class: "hint", id: id + "-hint"}, parameter.description + (range ? " (" + range + ")" : "")));
        }
        function example(media) {
          if (media.example) return media.example;
          const schema = resolve(media.schema), value = {};
          for (const [name, member] of Object.entries(schema.properties || {})) {
            if (name === "user_id") value[name] = "guest";
            else if (name === "item_ids") value[name] = ["1", "2"];
            else if (name === "k") value[name] = 5;
            else if (name === "basket") value[name] = [{item_id: "1", count: 2}];
          }
          return JSON.stringify(value, null, 2);
        }
        function target(path, operation, form) {
          let url = path; const query = [];
          for (const parameter of operation.parameters || []) {
            const value = form.elements[parameter.name].value;
            if (parameter.in === "path") url = url.replace("{" + parameter.name + "}", encodeURIComponent(value));
            else if (value !== "") {
              const repeats = parameter.explode && resolve(parameter.schema).type === "array";
              for (const one of repeats ? value.split(",").map(text => text.trim()) : [value]) query.push(parameter.name + "=" + encodeURIComponent(one).replace(/%2C/g, ","));
            }
          }
          return url + (query.length ? "?" + query.join("&") : "");
        }
        const shell = text => "'" + text.replace(/'/g, "'\\''") + "'";
        function itemTable(items) {
          const numeric = new Set(["score", "price", "count"]);
          const columns = ["item_id", "name", "score", "count", "price", "department_id"].filter(key => items.some(item => key in item));
          const head = make("tr", {}, make("th", {class: "number", scope: "col"}, "#"), ...columns.map(key => make("th", {scope: "col", class: numeric.has(key) ? "number" : undefined}, key)));
          const rows = items.map((item, place) => make("tr", {}, make("td", {class: "number"}, place + 1), ...columns.map(key => make("td", {class: numeric.has(key) ? "number" : undefined}, item[key] === null || item[key] === undefined ? "–" : String(item[key])))));
          return make("div", {class: "scroll"}, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
        }
        async function send(path, method, operation, form, out) {
          const url = target(path, operation, form), media = operation.requestBody && Object.keys(operation.requestBody.content)[0];
          const options = {method: method.toUpperCase(), headers: {}};
          let curl = "curl " + shell(location.origin + url);
          if (media) { options.headers["Content-Type"] = media; options.body = form.elements.body.value; curl += " \\\n  -H " + shell("Content-Type: " + media) + " --data-binary " + shell(options.body); }
          const button = form.querySelector("button"); button.disabled = true;
          try {
            const began = performance.now(), response = await fetch(url, options), text = await response.text();
            const took = performance.now() - began;
            let shown = text, table = "", how = "";
            if (/json$/.test(response.headers.get("content-type") || "")) {
              try { const json = JSON.parse(text); if (json.strategy) how = ", strategy " + json.strategy; if (json.fallback_reason) how += " (" + json.fallback_reason + ")"; const list = json.items || json.history; shown = JSON.stringify(json, null, 2); if (Array.isArray(list) && list.length) table = itemTable(list.slice(0, 100)); } catch (error) { /* Lines of JSON stay as they came. */ }
            }
            const version = response.headers.get("x-model-version");
            const status = make("p", {class: "status " + (response.ok ? "good" : "bad")}, response.status + " in " + took.toFixed(1) + " ms" + (version ? ", model version " + version : "") + how);
            out.replaceChildren(status, table, make("details", {open: !table}, make("summary", {}, "Body"), make("pre", {tabindex: 0}, shown.slice(0, 200000))), make("details", {}, make("summary", {}, "curl"), make("pre", {tabindex: 0}, curl)));
          } catch (error) {
            out.replaceChildren(make("p", {class: "status bad"}, "No answer: " + error.message));
          } finally { button.disabled = false; }
        }
        function section(path, method, operation) {
          const out = make("div", {class: "answer", role: "status", "aria-live": "polite"});
          const form = make("form", {}), parameters = operation.parameters || [];
          if (parameters.length) form.append(make("div", {class: "fields"}, ...parameters.map(parameter => field(operation.operationId, parameter))));
          if (operation.requestBody) {
            const [media, content] = Object.entries(operation.requestBody.content)[0], id = operation.operationId + "-body";
            const area = make("textarea", {id, name: "body", spellcheck: "false", "aria-describedby": id + "-hint"});
            area.value = example(content);
            area.addEventListener("keydown", event => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(); });
            const members = Object.keys((resolve(content.schema) || {}).properties || {});
            form.append(make("label", {for: id}, media), area, make("span", {class: "hint", id: id + "-hint"}, (members.length ? "Members: " + members.join(", ") + ". " : "") + "Ctrl+Enter sends."));
          }
          form.append(make("div", {}, make("button", {type: "submit"}, "Send")));
          form.addEventListener("submit", event => { event.preventDefault(); send(path, method, operation, form, out); });
          return make("section", {id: operation.operationId, "aria-labelledby": operation.operationId + "-title"},
            make("h2", {id: operation.operationId + "-title"}, make("span", {class: "method"}, method.toUpperCase()), path),
            make("p", {class: "summary"}, operation.summary), make("p", {class: "about"}, operation.description), form, out);
        }
        fetch("/openapi.json").then(response => response.json()).then(document_ => {
          spec = document_;
          byId("version").textContent = spec.info.version; byId("intro").textContent = spec.info.description;
          const tags = new Map();
          for (const [path, methods] of Object.entries(spec.paths)) for (const [method, operation] of Object.entries(methods)) {
            if (!tags.has(operation.tags[0])) tags.set(operation.tags[0], []);
            tags.get(operation.tags[0]).push([path, method, operation]);
          }
          for (const [tag, operations] of tags) {
            const list = make("ul");
            for (const [path, method, operation] of operations) {
              list.append(make("li", {}, make("a", {href: "#" + operation.operationId}, operation.summary)));
              byId("operations").append(section(path, method, operation));
            }
            byId("nav").append(make("h2", {}, tag), list);
          }
          if (location.hash) { const goal = byId(location.hash.slice(1)); if (goal) goal.scrollIntoView(); }
        }).catch(error => { byId("intro").textContent = "Could not load /openapi.json: " + error.message; });
        </script>
        </body>
        </html>

        """#
}
