#!/usr/bin/env python3
"""The work of check.mjs in Python, with PyYAML's C loader and jsonschema-rs.

    check.py DIR --schemas DIR [--state FILE [--apply]] [--at YYYY-MM-DD] [--parse-only]

Exit code 0 when clean, 1 with findings. The state is the same file that check.mjs reads and writes.
"""
import argparse
import datetime
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path

import jsonschema_rs
import yaml

KINDS = ("Mno", "Operator", "Routes", "TpsContract", "Policy")
OPEN = "9999-12-31"


class Loader(yaml.CSafeLoader):
    """PyYAML's loader without dates, as in YAML 1.2, and without duplicate keys."""

    def mapping(self, node):
        keys = [key.value for key, _ in node.value]
        if len(set(keys)) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "duplicate key", node.start_mark)
        return self.construct_mapping(node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", Loader.mapping)
Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
# NO is a country and ON is no boolean in YAML 1.2.
for letter in "yYnNoO":
    Loader.yaml_implicit_resolvers[letter] = []
# 22:00 is no number of base 60 either.
for letter in "0123456789":
    Loader.yaml_implicit_resolvers[letter] = [
        ("tag:yaml.org,2002:int", re.compile(r"^[0-9]+$")),
        ("tag:yaml.org,2002:float", re.compile(r"^[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?$")),
    ]


class Check:
    def __init__(self, root, schemas, at):
        self.root, self.schemas, self.at = root, schemas, at
        self.findings, self.warnings = [], 0

    def report(self, file, code, text):
        self.findings.append(f"{file}: {code}: {text}")

    # ------------------------------------------------------------ reading

    def yaml_files(self):
        policy = self.root / "policy.yaml"
        found = [policy] if policy.exists() else []
        for folder in ("operators", "contracts"):
            found += sorted(path for path in (self.root / folder).rglob("*.y*ml") if path.suffix in (".yaml", ".yml"))
        return found

    def documents(self):
        for path in self.yaml_files():
            file = path.relative_to(self.root)
            try:
                for document in yaml.load_all(path.read_text("utf-8"), Loader):
                    yield file, document
            except (yaml.YAMLError, UnicodeDecodeError) as error:
                self.report(file, "yaml", str(error).replace("\n", " "))

    def load(self):
        """The documents of each kind that fit their schema, as (file, document)."""
        by_kind = {kind: [] for kind in KINDS}
        validators = {
            kind: jsonschema_rs.validator_for(json.loads((self.schemas / f"{kind}.json").read_text("utf-8")))
            for kind in KINDS
        }
        for file, document in self.documents():
            kind = document.get("kind") if isinstance(document, dict) else None
            if kind not in validators:
                self.report(file, "unknown-kind", kind)
                continue
            errors = list(validators[kind].iter_errors(document))
            for error in errors:
                where = "/".join(map(str, error.instance_path))
                self.report(file, "schema", f"/{where} {error.message[:200]}")
            if not errors:
                by_kind[kind].append((file, document))
        return by_kind

    def index(self, documents, field):
        """Documents by a name that each may have once."""
        known = {}
        for file, document in documents:
            name = document["metadata"][field]
            if name in known:
                self.report(file, "duplicate-object", f"{name} is also in {known[name][0]}")
            else:
                known[name] = (file, document)
        return known

    # ------------------------------------------------------------ operators

    def check_operators(self, operators, mnos):
        endpoints = {}
        for file, document in operators.values():
            metadata, smpp = document["metadata"], document["spec"]["smpp"]
            if metadata["mno"] not in mnos:
                self.report(file, "unknown-mno", metadata["mno"])
            before = metadata.get("renamedFrom", {}).get("id")
            if before in operators:
                self.report(file, "rename-collision", before)
            endpoint = (smpp["host"].lower().removesuffix("."), smpp["port"], smpp["systemId"])
            other = endpoints.setdefault(endpoint, metadata["id"])
            if other != metadata["id"]:
                self.report(file, "duplicate-endpoint", f"{endpoint} is also {other}")

    @staticmethod
    def sum_tps(operators):
        """Sum of the TPS of active operators by carrier and direction."""
        sums = Counter()
        for _, document in operators.values():
            if is_active(document):
                for direction in ("outbound", "inbound"):
                    key = document["metadata"]["mno"], direction.upper()
                    sums[key] += document["spec"]["tps"].get(direction, 0)
        return sums

    # ------------------------------------------------------------ routing

    def check_routes(self, routes, operators):
        """Rules by operator and prefix."""
        rules, holders = {}, {}
        for name, (file, document) in routes.items():
            if name not in operators:
                self.report(file, "unknown-operator", name)
            own = rules[name] = {}
            for rule in document["spec"]["rules"]:
                if own.setdefault(rule["prefix"], rule) is not rule:
                    self.report(file, "duplicate-prefix", rule["prefix"])
            if name not in operators or not is_active(operators[name][1]):
                continue
            for rule in own.values():
                if rule.get("active", True):
                    self.check_nesting(file, rule, own)
                    self.check_holder(file, name, rule, holders)
        return rules

    def check_nesting(self, file, rule, own):
        prefix = rule["prefix"]
        for length in range(len(prefix) - 1, 1, -1):
            broader = own.get(prefix[:length])
            if broader and broader.get("active", True):
                if rule.get("narrows") != broader["prefix"]:
                    self.report(file, "nested-prefix", f"{prefix} lies in {broader['prefix']}")
                return
        if "narrows" in rule:
            self.report(file, "bad-narrows", f"{prefix} lies in no {rule['narrows']}")

    def check_holder(self, file, operator, rule, holders):
        rank, split = (rule["prefix"], rule.get("priority", 100)), rule.get("split")
        other, shared = holders.setdefault(rank, (operator, split))
        if other != operator and (not split or split != shared):
            self.report(file, "prefix-conflict", f"{rank} is also of {other}")

    # ------------------------------------------------------------ contracts

    def check_contracts(self, contracts, mnos, tps, minimum_pool):
        in_force = set()
        for mno, (file, document) in contracts.items():
            if mno not in mnos:
                self.report(file, "unknown-mno", mno)
            spec = document["spec"]
            for direction in ("OUTBOUND", "INBOUND"):
                signed = sorted(
                    (c["effectiveFrom"], c.get("effectiveTo", OPEN), c["contractedTps"], c["ref"])
                    for c in spec["contracts"] if c["direction"] == direction
                )
                first = signed[0][0] if signed else self.at
                reserved = [
                    (r.get("effectiveFrom", first), r.get("effectiveTo", OPEN), r["reservedTps"], r["tenant"])
                    for r in spec.get("reservations", ()) if r["direction"] == direction
                ]
                for begin, end, _, name in signed + reserved:
                    if end <= begin:
                        self.report(file, "period-reversed", f"{name} ends {end}")
                self.check_periods(file, signed, reserved)
                self.check_sums(file, signed, reserved, tps[mno, direction], minimum_pool)
                if any(covers(c, self.at) for c in signed):
                    in_force.add((mno, direction))
        self.warnings += sum(1 for key, demand in tps.items() if demand > 0 and key not in in_force)

    def check_periods(self, file, signed, reserved):
        for before, after in zip(signed, signed[1:]):
            if after[0] < before[1]:
                self.report(file, "contract-overlap", f"{before[3]} and {after[3]}")
            elif after[0] > before[1]:
                self.warnings += 1
        for reservation in reserved:
            day = reservation[0]
            for contract in signed:
                if covers(contract, day):
                    day = contract[1]
            if day < reservation[1]:
                self.report(file, "reservation-without-contract", f"{reservation[3]} on {day}")

    def check_sums(self, file, signed, reserved, demand, minimum_pool):
        for contract in signed:
            begin, end, contracted, ref = contract
            if end <= self.at:
                continue
            if demand > contracted:
                self.report(file, "tps-over-contract", f"operators {demand}, {ref} {contracted}")
            # Sums rise only where something begins.
            instants = [day for day in (begin, *(r[0] for r in reserved)) if covers(contract, day)]
            most = max((sum(r[2] for r in reserved if covers(r, day)) for day in instants), default=0)
            if most > contracted:
                self.report(file, "reserved-over-contract", f"tenants {most}, {ref} {contracted}")
            elif (contracted - most) * 100 < contracted * minimum_pool:
                self.warnings += 1

    def finish(self):
        for line in self.findings[:50]:
            print(line)
        print(f"{len(self.findings)} findings, {self.warnings} warnings")
        if self.findings:
            sys.exit(1)


def is_active(operator):
    return operator["spec"].get("status") != "INACTIVE"


def covers(period, day):
    return period[0] <= day < period[1]


# ---------------------------------------------------------------- plan


def plan(wanted, state):
    present = json.loads(state.read_text("utf-8")) if state.exists() else {}
    counts = Counter()
    for kind, objects in wanted.items():
        others = present.get(kind, {})
        if kind == "routes":  # one level deeper: operator, then prefix
            for operator in objects.keys() | others.keys():
                compare(kind, objects.get(operator, {}), others.get(operator, {}), counts)
        else:
            compare(kind, objects, others, counts)
    return counts


def compare(kind, wanted, present, counts):
    for key, value in wanted.items():
        if key not in present:
            counts[f"{kind} create"] += 1
        elif value != present[key]:
            counts[f"{kind} update"] += 1
    for key in present:
        if key not in wanted:
            counts[f"{kind} delete"] += 1


def strip(documents):
    return {name: {"metadata": d["metadata"], "spec": d["spec"]} for name, (_, d) in documents.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--schemas", type=Path, required=True)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--apply", action="store_true")
    parser.add_argument("--at", default=datetime.date.today().isoformat())
    parser.add_argument("--parse-only", action="store_true")
    options = parser.parse_args()

    check = Check(options.dir, options.schemas, options.at)
    if options.parse_only:
        for _ in check.documents():
            pass
        check.finish()
        return
    by_kind = check.load()
    mnos = check.index(by_kind["Mno"], "id")
    operators = check.index(by_kind["Operator"], "id")
    routes = check.index(by_kind["Routes"], "operator")
    contracts = check.index(by_kind["TpsContract"], "mno")
    for file, _ in by_kind["Policy"][1:]:
        check.report(file, "duplicate-object", "a second policy")
    policy = by_kind["Policy"][0][1]["spec"] if by_kind["Policy"] else {}

    check.check_operators(operators, mnos)
    rules = check.check_routes(routes, operators)
    minimum_pool = policy.get("tps", {}).get("minOnDemandPoolPercent", 10)
    check.check_contracts(contracts, mnos, check.sum_tps(operators), minimum_pool)
    check.finish()

    if options.state:
        wanted = {"mnos": strip(mnos), "operators": strip(operators), "contracts": strip(contracts), "routes": rules}
        print("plan:", json.dumps(plan(wanted, options.state)))
        if options.apply:
            new = options.state.with_name(options.state.name + ".new")
            new.write_text(json.dumps(wanted), "utf-8")
            os.replace(new, options.state)


main()
