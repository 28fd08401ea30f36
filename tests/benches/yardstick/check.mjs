// What a team would script instead of `bindery check` and `bindery plan`, with js-yaml and ajv: the
// yardstick of `make bench`. It reads every YAML file, checks it against the JSON Schemas, then
// references, endpoints, prefixes, contracts and reservations, and compares with a JSON state.
// It knows the base configuration alone: no positions, fixes, environments, git or stores.
//
//   node check.mjs DIR --schemas DIR [--state FILE [--apply]] [--at YYYY-MM-DD] [--parse-only]
//
// Exit code 0 when clean, 1 with findings.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

// js-yaml's CommonJS build parses in little more than half the time of its ES module; a yardstick
// takes the faster one.
const require = createRequire(import.meta.url);
const { CORE_SCHEMA, loadAll } = require('js-yaml');
const { Ajv2020 } = require('ajv/dist/2020');

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    schemas: { type: 'string' },
    state: { type: 'string' },
    apply: { type: 'boolean', default: false },
    at: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    'parse-only': { type: 'boolean', default: false },
  },
});
const [root] = positionals;
if (!root || !options.schemas) {
  console.error('usage: node check.mjs DIR --schemas DIR [--state FILE [--apply]] [--at YYYY-MM-DD] [--parse-only]');
  process.exit(2);
}

const KINDS = ['Mno', 'Operator', 'Routes', 'TpsContract', 'Policy'];
const findings = [];
let warnings = 0;
const report = (file, code, text) => findings.push(`${file}: ${code}: ${text}`);

// ---------------------------------------------------------------- reading

function yamlFiles() {
  const found = fs.existsSync(path.join(root, 'policy.yaml')) ? ['policy.yaml'] : [];
  for (const folder of ['operators', 'contracts']) {
    if (!fs.existsSync(path.join(root, folder))) continue;
    const names = fs.readdirSync(path.join(root, folder), { recursive: true });
    found.push(...names.filter((name) => /\.ya?ml$/.test(name)).sort().map((name) => path.join(folder, name)));
  }
  return found;
}

function* documents() {
  for (const file of yamlFiles()) {
    try {
      const all = loadAll(fs.readFileSync(path.join(root, file), 'utf8'), { schema: CORE_SCHEMA });
      for (const doc of all) yield { file, doc };
    } catch (error) {
      report(file, 'yaml', error.message.split('\n')[0]);
    }
  }
}

/** The documents of each kind that fit their schema. */
function load() {
  const byKind = Object.fromEntries(KINDS.map((kind) => [kind, []]));
  // Formats such as uint16 only name the type that the schema was generated from.
  const ajv = new Ajv2020({ allErrors: true, strict: false, validateFormats: false });
  const fits = new Map(KINDS.map((kind) => {
    const schema = fs.readFileSync(path.join(options.schemas, `${kind}.json`), 'utf8');
    return [kind, ajv.compile(JSON.parse(schema))];
  }));
  for (const { file, doc } of documents()) {
    if (options['parse-only']) continue;
    const validate = fits.get(doc?.kind);
    if (!validate) report(file, 'unknown-kind', String(doc?.kind));
    else if (validate(doc)) byKind[doc.kind].push({ file, ...doc });
    else for (const error of validate.errors) report(file, 'schema', `${error.instancePath} ${error.message}`);
  }
  return byKind;
}

/** Documents by a name that each may have once. */
function index(list, name) {
  const known = new Map();
  for (const doc of list) {
    const first = known.get(name(doc));
    if (first) report(doc.file, 'duplicate-object', `${name(doc)} is also in ${first.file}`);
    else known.set(name(doc), doc);
  }
  return known;
}

// ---------------------------------------------------------------- operators

function checkOperators(operators, mnos) {
  const endpoints = new Map();
  for (const { file, metadata, spec } of operators.values()) {
    if (!mnos.has(metadata.mno)) report(file, 'unknown-mno', metadata.mno);
    if (operators.has(metadata.renamedFrom?.id)) report(file, 'rename-collision', metadata.renamedFrom.id);
    const host = spec.smpp.host.toLowerCase().replace(/\.$/, '');
    const endpoint = `${host}:${spec.smpp.port} ${spec.smpp.systemId}`;
    const other = endpoints.get(endpoint);
    if (other) report(file, 'duplicate-endpoint', `${endpoint} is also ${other}`);
    else endpoints.set(endpoint, metadata.id);
  }
}

const isActive = (operator) => operator.spec.status !== 'INACTIVE';

/** Σ TPS of active operators by carrier and direction. */
function sumTps(operators) {
  const sums = new Map();
  for (const operator of operators.values()) {
    if (!isActive(operator)) continue;
    for (const direction of ['outbound', 'inbound']) {
      const key = `${operator.metadata.mno} ${direction.toUpperCase()}`;
      sums.set(key, (sums.get(key) ?? 0) + (operator.spec.tps[direction] ?? 0));
    }
  }
  return sums;
}

// ---------------------------------------------------------------- routing

/** Rules by operator and prefix. */
function checkRoutes(routes, operators) {
  const rules = new Map();
  const holders = new Map();
  for (const { file, metadata, spec } of routes.values()) {
    const operator = operators.get(metadata.operator);
    if (!operator) report(file, 'unknown-operator', metadata.operator);
    const own = new Map();
    rules.set(metadata.operator, own);
    for (const rule of spec.rules) {
      if (own.has(rule.prefix)) report(file, 'duplicate-prefix', rule.prefix);
      else own.set(rule.prefix, rule);
    }
    if (!operator || !isActive(operator)) continue;
    for (const rule of own.values()) {
      if (rule.active === false) continue;
      checkNesting(file, rule, own);
      checkHolder(file, metadata.operator, rule, holders);
    }
  }
  return rules;
}

function checkNesting(file, rule, own) {
  for (let length = rule.prefix.length - 1; length > 1; length--) {
    const broader = own.get(rule.prefix.slice(0, length));
    if (!broader || broader.active === false) continue;
    if (rule.narrows !== broader.prefix) report(file, 'nested-prefix', `${rule.prefix} lies in ${broader.prefix}`);
    return;
  }
  if (rule.narrows) report(file, 'bad-narrows', `${rule.prefix} lies in no ${rule.narrows}`);
}

function checkHolder(file, operator, rule, holders) {
  const rank = `${rule.prefix} ${rule.priority ?? 100}`;
  const first = holders.get(rank);
  if (!first) holders.set(rank, { operator, split: rule.split });
  else if (!rule.split || rule.split !== first.split) report(file, 'prefix-conflict', `${rank} is also of ${first.operator}`);
}

// ---------------------------------------------------------------- contracts

const OPEN = '9999-12-31';
const period = (item, from) => ({ ...item, from: item.effectiveFrom ?? from, to: item.effectiveTo ?? OPEN });
const covers = (item, day) => item.from <= day && day < item.to;

function checkContracts(contracts, mnos, tps, minimumPool) {
  for (const { file, metadata: { mno }, spec } of contracts.values()) {
    if (!mnos.has(mno)) report(file, 'unknown-mno', mno);
    for (const direction of ['OUTBOUND', 'INBOUND']) {
      const signed = spec.contracts.filter((c) => c.direction === direction).map((c) => period(c))
        .sort((a, b) => (a.from < b.from ? -1 : 1));
      const first = signed[0]?.from ?? options.at;
      const reserved = (spec.reservations ?? []).filter((r) => r.direction === direction).map((r) => period(r, first));
      for (const item of [...signed, ...reserved]) {
        if (item.to <= item.from) report(file, 'period-reversed', `${item.ref ?? item.tenant} ends ${item.to}`);
      }
      checkPeriods(file, signed, reserved);
      checkSums(file, signed, reserved, tps.get(`${mno} ${direction}`) ?? 0, minimumPool);
    }
  }
  for (const key of tps.keys()) {
    const [mno, direction] = key.split(' ');
    const signed = contracts.get(mno)?.spec.contracts ?? [];
    if (tps.get(key) > 0 && !signed.some((c) => c.direction === direction && covers(period(c), options.at))) warnings++;
  }
}

function checkPeriods(file, signed, reserved) {
  for (let i = 1; i < signed.length; i++) {
    const [before, after] = [signed[i - 1], signed[i]];
    if (after.from < before.to) report(file, 'contract-overlap', `${before.ref} and ${after.ref}`);
    else if (after.from > before.to) warnings++;
  }
  for (const reservation of reserved) {
    let day = reservation.from;
    for (const contract of signed) if (covers(contract, day)) day = contract.to;
    if (day < reservation.to) report(file, 'reservation-without-contract', `${reservation.tenant} on ${day}`);
  }
}

function checkSums(file, signed, reserved, demand, minimumPool) {
  for (const contract of signed) {
    if (contract.to <= options.at) continue;
    if (demand > contract.contractedTps) {
      report(file, 'tps-over-contract', `operators ${demand}, ${contract.ref} ${contract.contractedTps}`);
    }
    // Sums rise only where something begins.
    const instants = [contract.from, ...reserved.map((r) => r.from)].filter((day) => covers(contract, day));
    const sums = instants.map((day) => reserved.reduce((sum, r) => sum + (covers(r, day) ? r.reservedTps : 0), 0));
    const most = Math.max(...sums);
    if (most > contract.contractedTps) {
      report(file, 'reserved-over-contract', `tenants ${most}, ${contract.ref} ${contract.contractedTps}`);
    } else if ((contract.contractedTps - most) * 100 < contract.contractedTps * minimumPool) warnings++;
  }
}

// ---------------------------------------------------------------- plan

function plan(wanted, file) {
  const present = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  const counts = {};
  for (const kind of Object.keys(wanted)) {
    const keys = new Set([...Object.keys(wanted[kind]), ...Object.keys(present[kind] ?? {})]);
    for (const key of keys) {
      // Routes lie one level deeper: operator, then prefix.
      if (kind === 'routes') compare(kind, wanted[kind][key] ?? {}, present[kind]?.[key] ?? {}, counts);
      else compare(kind, { [key]: wanted[kind][key] }, { [key]: present[kind]?.[key] }, counts);
    }
  }
  return counts;
}

function compare(kind, wanted, present, counts) {
  const count = (change) => { counts[`${kind} ${change}`] = (counts[`${kind} ${change}`] ?? 0) + 1; };
  for (const key of Object.keys(wanted)) {
    if (wanted[key] === undefined) continue;
    if (present[key] === undefined) count('create');
    else if (JSON.stringify(wanted[key]) !== JSON.stringify(present[key])) count('update');
  }
  for (const key of Object.keys(present)) {
    if (present[key] !== undefined && wanted[key] === undefined) count('delete');
  }
}

function save(wanted, file) {
  fs.writeFileSync(`${file}.new`, JSON.stringify(wanted));
  fs.renameSync(`${file}.new`, file);
}

// ---------------------------------------------------------------- main

function finish() {
  for (const line of findings.slice(0, 50)) console.log(line);
  console.log(`${findings.length} findings, ${warnings} warnings`);
  if (findings.length > 0) process.exit(1);
}

const byKind = load();
if (options['parse-only']) {
  finish();
  process.exit(0);
}
const mnos = index(byKind.Mno, (doc) => doc.metadata.id);
const operators = index(byKind.Operator, (doc) => doc.metadata.id);
const routes = index(byKind.Routes, (doc) => doc.metadata.operator);
const contracts = index(byKind.TpsContract, (doc) => doc.metadata.mno);
const policy = index(byKind.Policy, () => 'the policy').get('the policy');

checkOperators(operators, mnos);
const rules = checkRoutes(routes, operators);
checkContracts(contracts, mnos, sumTps(operators), policy?.spec.tps?.minOnDemandPoolPercent ?? 10);
finish();

if (options.state) {
  const strip = (docs) => Object.fromEntries([...docs].map(([name, { metadata, spec }]) => [name, { metadata, spec }]));
  const wanted = {
    mnos: strip(mnos),
    operators: strip(operators),
    contracts: strip(contracts),
    routes: Object.fromEntries([...rules].map(([operator, own]) => [operator, Object.fromEntries(own)])),
  };
  console.log('plan:', JSON.stringify(plan(wanted, options.state)));
  if (options.apply) save(wanted, options.state);
}
