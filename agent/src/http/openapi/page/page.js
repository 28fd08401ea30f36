"use strict";
// Lists what the document says and sends requests. Everything from outside is set as text, never as markup.

const base = location.pathname.replace(/\/docs\/?$/, "");
const METHODS = ["get", "post", "patch", "put", "delete"];
const SHOWN_HEADERS = ["content-type", "etag", "location", "retry-after", "www-authenticate", "x-request-id"];

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

// Words between backticks are names.
const rich = (text) => text.split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));

const pretty = (value) => JSON.stringify(value, null, 2);

function field(parameter) {
  const schema = parameter.schema ?? {};
  const named = schema.enum ?? schema.oneOf?.map((option) => option.const);
  const options = schema.type === "boolean" ? ["true", "false"] : named;
  const input = options
    ? make("select", {}, make("option", { value: "", textContent: "" }), ...options.map((name) => make("option", { value: name, textContent: name })))
    : make("input", { autocomplete: "off", spellcheck: false });
  if (parameter.required && parameter.example !== undefined) input.value = parameter.example;
  input.setAttribute("aria-label", parameter.name);
  return input;
}

function address(path, fields) {
  const query = new URLSearchParams();
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query" && input.value !== "") query.set(parameter.name, input.value);
  }
  const text = query.toString();
  return base + path + (text ? `?${text}` : "");
}

function request(method, operation, fields, body) {
  const headers = {};
  const token = document.getElementById("token").value.trim();
  if (token) headers["Authorization"] = `Bearer ${token}`;
  for (const { parameter, input } of fields) {
    if (parameter.in === "header" && input.value !== "") headers[parameter.name] = input.value;
  }
  const options = { method: method.toUpperCase(), headers, cache: "no-store", redirect: "error" };
  if (body && body.value.trim() !== "") {
    headers["Content-Type"] = Object.keys(operation.requestBody.content)[0];
    options.body = body.value;
  }
  return options;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(url, { method, headers, body }) {
  const parts = [`curl -X ${method}`];
  for (const [name, value] of Object.entries(headers)) {
    // The command is for pasting elsewhere: the token is left to the shell.
    parts.push(name === "Authorization" ? '-H "Authorization: Bearer $BINDERY_ADMIN_TOKEN"' : `-H ${quoted(`${name}: ${value}`)}`);
  }
  if (body) parts.push(`-d ${quoted(body)}`);
  return `${parts.join(" \\\n  ")} \\\n  ${quoted(location.origin + url)}`;
}

async function send(url, options, output) {
  output.replaceChildren(make("p", { textContent: "…" }));
  let response, text;
  try {
    response = await fetch(url, options);
    text = await response.text();
  } catch (error) {
    output.replaceChildren(make("p", { className: "bad", textContent: `No answer: ${error.message}` }));
    return;
  }
  let body = text;
  try { body = pretty(JSON.parse(text)); } catch { /* not JSON: shown as it is */ }
  const heads = SHOWN_HEADERS.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  output.replaceChildren(
    make("p", { className: `status ${response.ok ? "good" : "bad"}`, textContent: `${response.status} ${response.statusText}` }),
    make("pre", { textContent: heads.join("\n") }),
    ...(body ? [make("pre", { textContent: body })] : []),
  );
}

function inside(path, method, operation, api) {
  const resolve = (node) => (node.$ref ? node.$ref.slice(2).split("/").reduce((at, key) => at[key], api) : node);
  const panel = make("div", { className: "inside" });
  if (operation.description) panel.append(make("p", { className: "hint" }, ...rich(operation.description)));
  const fields = (operation.parameters ?? []).map((parameter) => {
    parameter = { ...parameter, schema: resolve(parameter.schema) };
    return { parameter, input: field(parameter) };
  });
  if (fields.length) {
    const grid = make("div", { className: "parameters" });
    for (const { parameter, input } of fields) {
      const name = make("code", { textContent: parameter.name + (parameter.required ? " *" : "") });
      grid.append(name, input, make("span", { className: "description" }, ...rich(parameter.description)));
    }
    panel.append(make("h3", { textContent: "Parameters" }), grid);
  }
  let body = null;
  if (operation.requestBody) {
    const [media, content] = Object.entries(operation.requestBody.content)[0];
    body = make("textarea", { spellcheck: false, value: pretty(content.example) });
    body.setAttribute("aria-label", "body");
    panel.append(make("h3", { textContent: `Body (${media})` }), body);
  }
  const output = make("div");
  const go = make("button", { type: "button", textContent: "Send" });
  go.addEventListener("click", () => send(address(path, fields), request(method, operation, fields, body), output));
  const command = make("button", { type: "button", textContent: "Show as curl" });
  command.addEventListener("click", () =>
    output.replaceChildren(make("pre", { textContent: curl(address(path, fields), request(method, operation, fields, body)) })));
  panel.append(go, command, output, make("h3", { textContent: "Answers" }));
  const table = make("table", { className: "answers" });
  for (const [status, answer] of Object.entries(operation.responses)) {
    table.append(make("tr", {}, make("td", { textContent: status }), make("td", {}, ...rich(resolve(answer).description))));
  }
  panel.append(table);
  return panel;
}

function entry(path, method, operation, api) {
  const details = make("details", {},
    make("summary", {},
      make("span", { className: "method", textContent: method.toUpperCase() }),
      make("span", { className: "path", textContent: path }),
      make("span", { className: "does", textContent: operation.summary })));
  details.dataset.words = `${method} ${path} ${operation.operationId} ${operation.summary}`.toLowerCase();
  // Filled when it is opened first: most never are.
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(inside(path, method, operation, api));
  });
  return details;
}

function show(api) {
  document.title = api.info.title;
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").replaceChildren(...rich(api.info.description));
  const groups = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((method) => item[method])) {
      groups.get(item[method].tags[0]).push(entry(path, method, item[method], api));
    }
  }
  const sections = [...groups].map(([name, entries]) => make("section", {}, make("h2", { textContent: name }), ...entries));
  document.getElementById("operations").replaceChildren(...sections);
}

function find(words) {
  for (const section of document.querySelectorAll("section")) {
    let some = false;
    for (const details of section.querySelectorAll("details")) {
      details.hidden = !details.dataset.words.includes(words);
      some ||= !details.hidden;
    }
    section.hidden = !some;
  }
}

document.getElementById("caller").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("search").addEventListener("input", (event) => find(event.target.value.trim().toLowerCase()));
fetch(`${base}/openapi.json`)
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then((api) => {
    show(api);
    // An address such as /docs#createOperator opens what it names.
    const wanted = location.hash.slice(1).toLowerCase();
    const named = wanted && [...document.querySelectorAll("details")].find((details) => details.dataset.words.split(" ").includes(wanted));
    if (named) {
      named.open = true;
      named.scrollIntoView();
    }
  })
  .catch((error) => document.getElementById("operations").replaceChildren(
    make("p", { className: "bad", textContent: `The document cannot be loaded: ${error.message}` })));
