#!/usr/bin/env bash
# How much `bindery check` (and `bindery plan`, without and with a warm cache) takes beside the script a team would write instead.
# Prints a Markdown table of CPU, wall time and peak memory with their ratios to the script's, both
# measured in turn on the machine it is run on.
#
#   tests/benches/check.sh [--sizes S,M,L] [--runs N] [--plan] [--python] [--dir DIR]
#
#   --sizes   corpora to measure (default S,M,L): S has 100 operators and 2,000 routes, M 2,000 and
#             50,000, L 10,000 and 1,000,000
#   --runs    counted runs of each tool (default 5)
#   --plan    measure also the plan of a commit that edits 12 (S) or 100 (M, L) operators, and with the cache that of one
#             that edits 5: ten files
#   --python  measure also check.py; needs the packages of yardstick/requirements.txt
#   --dir     folder for the corpora, kept afterwards; it must hold none yet (default: a temporary one)
#
# Needs cargo, Node 20 or newer with npm, and Python 3.9 or newer. From the environment:
#   BINDERY_BIN, CORPUS_BIN   programs to measure and to generate with, instead of building them
#   BINDERY_SCHEMAS           folder of the JSON Schemas (default: schema/json of this repository)
#   PYTHON                    the Python (default: python3)
set -euo pipefail

benches=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$benches/../.." && pwd)
yardstick=$benches/yardstick
python=${PYTHON:-python3}
schemas=${BINDERY_SCHEMAS:-$root/schema/json}
sizes=S,M,L runs=5 with_plan='' with_python='' dir=''

fail() { echo "check.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --sizes) sizes=${2:?--sizes needs a value}; shift ;;
    --runs) runs=${2:?--runs needs a value}; shift ;;
    --dir) dir=${2:?--dir needs a value}; shift ;;
    --plan) with_plan=1 ;;
    --python) with_python=1 ;;
    -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p;}' "$0"; exit 0 ;;
    *) fail "unknown option $1; see --help" ;;
  esac
  shift
done

command -v node >/dev/null || fail "Node is missing: the ratios are to its script"
command -v "$python" >/dev/null || fail "$python is missing: it measures"
[ -d "$schemas" ] || fail "no JSON Schemas in $schemas"

# ---------------------------------------------------------------- programs

if [ -z "${BINDERY_BIN:-}" ] || [ -z "${CORPUS_BIN:-}" ]; then
  # The whole workspace, so that its features are those of every other build.
  (cd "$root" && cargo build --quiet --release --workspace --bin bindery --bin corpus)
  built=$(cd "$root" && cargo metadata --format-version 1 --no-deps |
    "$python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release
fi
bindery=${BINDERY_BIN:-$built/bindery}
corpus=${CORPUS_BIN:-$built/corpus}

[ -d "$yardstick/node_modules" ] || (cd "$yardstick" && npm ci --no-audit --no-fund --silent)

if [ -n "$dir" ]; then
  mkdir -p "$dir"
else
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
fi

# ---------------------------------------------------------------- runs

quote() { printf '%q ' "$@"; }

# measure LABEL NAME=COMMAND... [--expect NAME=CODE]
measure() {
  local label=$1
  shift
  "$python" "$benches/measure.py" --runs "$runs" --label "$label" --baseline node "$@"
}

echo "Node $(node --version), $("$python" --version), $(getconf _NPROCESSORS_ONLN) processors, $runs runs"
echo
"$python" "$benches/measure.py" --header --baseline node

for size in ${sizes//,/ }; do
  repository=$dir/$size
  "$corpus" "$repository" --size "$size" ${with_plan:+--git} >/dev/null

  script=("$repository" --schemas "$schemas")
  tools=("bindery=$(quote "$bindery" check --repo "$repository" --format concise)"
    "node=$(quote node "$yardstick/check.mjs" "${script[@]}")")
  [ -z "$with_python" ] || tools+=("python=$(quote "$python" "$yardstick/check.py" "${script[@]}")")
  measure "$size check" "${tools[@]}"

  [ -n "$with_plan" ] || continue
  edits=100
  [ "$size" != S ] || edits=12
  script+=(--state "$repository.json")
  node "$yardstick/check.mjs" "${script[@]}" --apply >/dev/null
  "$corpus" "$repository" --mutate "$edits" --git >/dev/null
  # 2 is the exit code of a plan with changes.
  plan=("$bindery" plan --repo "$repository" --base HEAD~1 --head HEAD)
  # The commit before is in the cache; the run that is not counted adds what the commit changed.
  "$bindery" check --repo "$repository" --rev HEAD~1 --cache-dir "$repository.cache" --format concise
  tools=("bindery=$(quote "${plan[@]}")"
    "warm=$(quote "${plan[@]}" --cache-dir "$repository.cache")"
    "node=$(quote node "$yardstick/check.mjs" "${script[@]}")")
  [ -z "$with_python" ] || tools+=("python=$(quote "$python" "$yardstick/check.py" "${script[@]}")")
  measure "$size plan" "${tools[@]}" --expect bindery=2 --expect warm=2

  node "$yardstick/check.mjs" "${script[@]}" --apply >/dev/null
  "$corpus" "$repository" --mutate 5 --git >/dev/null
  "$bindery" check --repo "$repository" --rev HEAD~1 --cache-dir "$repository.cache" --format concise
  measure "$size ten files" "warm=$(quote "${plan[@]}" --cache-dir "$repository.cache")" \
    "node=$(quote node "$yardstick/check.mjs" "${script[@]}")" --expect warm=2
done
