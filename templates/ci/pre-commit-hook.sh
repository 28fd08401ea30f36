#!/bin/sh
# Checks what is about to be committed, which may differ from what is in the working tree.
#
# Install: cp templates/ci/pre-commit-hook.sh .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit
# Skip once: git commit --no-verify
set -eu

if ! command -v bindery >/dev/null 2>&1; then
    echo "pre-commit: bindery is not on the PATH; the pipeline will check instead" >&2
    exit 0
fi
# Only a commit that touches what bindery reads or writes is checked.
if git diff --cached --quiet -- operators contracts policy.yaml runbooks templates/runbook.md.j2; then
    exit 0
fi

staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
trap 'exit 1' HUP INT TERM
git checkout-index --all --prefix="$staged/"

bindery --repo "$staged" check --format concise
bindery --repo "$staged" render --check --format concise || {
    echo "pre-commit: run \`bindery render\` and stage the runbooks" >&2
    exit 1
}
