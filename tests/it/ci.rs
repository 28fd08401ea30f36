//! `bindery ci` and the files of `templates/ci`, in repositories of their own, as a pipeline runs them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The folder of the program as built for the tests, beside this test's own.
fn programs() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().to_owned()
}

struct Repository(tempfile::TempDir);

impl Repository {
    /// A repository whose branch `main` holds the side `before` of a plan's fixture, and whose branch `change` is out.
    fn of(case: &str) -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "-q", "-b", "main"]);
        repository.take(case, "before");
        assert!(repository.bindery(&["render"]).status.success());
        repository.commit("before");
        repository.git(&["checkout", "-q", "-b", "change"]);
        repository
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn take(&self, case: &str, side: &str) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/plan").join(case).join(side);
        let copied = Command::new("cp").arg("-r").arg(from.join(".")).arg(self.path()).status().unwrap();
        assert!(copied.success());
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path().join(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
        Command::new(program)
            .args(arguments)
            .current_dir(self.path())
            .env("PATH", path)
            .env_remove("GITHUB_BASE_REF")
            .env_remove("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_SYSTEM", "/dev/null")])
            .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b.example")])
            .envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b.example")])
            .output()
            .unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let output = self.run("git", arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", message]);
    }

    fn bindery(&self, arguments: &[&str]) -> Output {
        self.run("bindery", arguments)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_change_is_checked_planned_and_told_with_its_loosened_policy() {
    let repository = Repository::of("blast-radius");
    repository.take("blast-radius", "after");
    repository.bindery(&["render"]);
    repository.commit("after");
    let ci = ["ci", "--at", "2026-11-24", "--comment", "plan.md"];
    let output = repository.bindery(&ci);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    assert!(shown.contains("0 errors") && shown.contains("0 runbooks out of date"), "{shown}");
    for line in ["guardrails.maxDeletes.count: rises from 5 to 50", "The plan is held (BND0801):", "+9379"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    let comment = repository.read("plan.md");
    assert!(comment.starts_with("<!-- bindery:plan -->\n### bindery: "), "{comment}");
    assert!(comment.contains("makes the policy less strict") && comment.contains("Bindery-Allow: "), "{comment}");

    let json = repository.bindery(&["ci", "--at", "2026-11-24", "--base", "main", "--format", "json"]);
    let value: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["errors"], 0);
    assert_eq!(value["plan"]["impact"]["destinations"][0]["kind"], "unserved");

    // The schema of a machine's format is not mixed with text for people.
    let sarif = repository.bindery(&["ci", "--at", "2026-11-24", "--format", "sarif"]);
    let log: Value = serde_json::from_slice(&sarif.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(text(&sarif.stderr).contains("Plan: "));
}

#[test]
fn every_format_has_the_finding_of_a_held_plan_with_its_hash_and_trailer() {
    let repository = Repository::of("held-deletes");
    fs::remove_dir_all(repository.path().join("operators")).unwrap();
    repository.take("held-deletes", "after");
    repository.bindery(&["render"]);
    repository.commit("after");
    let plan = repository.bindery(&["plan", "--at", "2026-11-24", "--base", "main", "--format", "json"]);
    assert_eq!(plan.status.code(), Some(2));
    let value: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let (hash, trailer) = (value["hash"].as_str().unwrap(), value["trailer"].as_str().unwrap());
    let (_, schema) = bindery_schema::json::reports().remove(0);
    assert!(jsonschema::is_valid(schema.as_value(), &value));
    let held = |findings: &Value| findings.as_array().unwrap().iter().find(|f| f["code"] == "BND0801").cloned();
    let finding = held(&value["findings"]).expect("a finding");
    assert_eq!((&finding["severity"], &finding["file"]), (&"warning".into(), &Value::Null));
    let parts = [finding["message"].as_str().unwrap(), finding["help"].as_str().unwrap()];
    assert!(parts[0].contains(hash) && parts[1].contains(trailer), "{parts:?}");
    assert!(text(&plan.stderr).contains(&format!("plan: warning BND0801 plan `{hash}` is held: ")));

    for (format, place) in [
        ("full", "warning[BND0801]: plan `"),
        ("concise", "plan: warning BND0801 plan `"),
        ("github", "::warning title=BND0801 plan-held::plan `"),
        ("junit", "plan: warning BND0801 plan `"),
        ("sarif", "\"uri\": \"policy.yaml\""),
        ("json", "\"code\": \"BND0801\""),
    ] {
        let output = repository.bindery(&["ci", "--at", "2026-11-24", "--format", format]);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
        for part in [place, "BND0801", hash, trailer] {
            assert!(shown.contains(part), "{format} lacks {part}: {shown}");
        }
    }
    let denied = repository.bindery(&["ci", "--at", "2026-11-24", "--deny", "warnings", "--format", "concise"]);
    assert_eq!(denied.status.code(), Some(1));
    let report = repository.bindery(&["ci", "--at", "2026-11-24", "--deny", "warnings", "--format", "junit"]);
    let report = text(&report.stdout);
    assert!(report.contains("name=\"plan\" time=\"0\">\n      <failure type=\"BND0801\""), "{report}");
}

#[test]
fn what_is_asked_for_and_not_there_is_said() {
    let repository = Repository::of("only-another-environment");
    let check = |arguments: &[&str]| repository.bindery(&[&["check", "--at", "2026-11-24"], arguments].concat());
    let fails = |arguments: &[&str], says: &str| {
        let output = repository.bindery(arguments);
        let shown = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {shown}");
        assert!(shown.contains("error: no operator has the environment `stagin`") && shown.contains(says), "{shown}");
        assert!(output.stdout.is_empty(), "{arguments:?} {}", text(&output.stdout));
    };
    for command in [
        &["check"][..],
        &["check", "--fix"],
        &["plan"],
        &["ci"],
        &["render"],
        &["render", "--check"],
        &["trace", "+93"],
    ] {
        fails(&[command, &["--env", "stagin"]].concat(), "did you mean `staging`?");
    }
    // A name that is no slip stands for the base, as `production` may.
    let other = check(&["--env", "production"]);
    assert_eq!(other.status.code(), Some(0), "{}", text(&other.stderr));
    assert!(
        text(&other.stderr).contains("no operator has the environment `production`, so the base counts; known are ")
    );
    // What the change takes away is still there to be asked for.
    let operators = "operators/all.yaml";
    let before = repository.read(operators);
    let without = before.replace("  environments:\n    staging:\n      tps: {outbound: 5}\n", "");
    assert_ne!(without, before);
    repository.write(operators, &without);
    assert!(text(&check(&["--env", "production"]).stderr).contains("nor any other"));
    for (command, code) in [("plan", 2), ("ci", 0)] {
        let output = repository.bindery(&[command, "--at", "2026-11-24", "--env", "staging"]);
        assert_eq!(output.status.code(), Some(code), "{command} {}", text(&output.stderr));
    }
    repository.write(operators, &before);
    repository.git(&["checkout", "-q", "--orphan", "bare"]);
    repository.git(&["rm", "-rfq", "."]);
    repository.write("README.md", "nothing");
    repository.commit("nothing");
    let empty = check(&["--rev", "bare"]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(text(&empty.stderr).contains("`bare` holds no configuration"), "{}", text(&empty.stderr));
    // A plan that begins with nothing is one all the same.
    let plan = repository.bindery(&["plan", "--base", "bare", "--head", "main", "--at", "2026-11-24"]);
    assert_eq!(plan.status.code(), Some(2), "{}", text(&plan.stderr));
}

#[test]
fn errors_and_stale_runbooks_fail_and_the_comment_says_why() {
    let repository = Repository::of("update-fields");
    let path = "operators/all.yaml";
    let before = repository.read(path);
    repository.write("runbooks/mno/afone.md", "old");
    let output = repository.bindery(&["ci", "--format", "concise", "--comment", "plan.md"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("BND0901") && repository.read("plan.md").contains("BND0901"));

    repository.write(path, &before.replace("port: ", "port: x"));
    let output = repository.bindery(&["ci", "--format", "junit", "--comment", "plan.md"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("<failure "), "{}", text(&output.stdout));
    assert!(repository.read("plan.md").contains("no plan: the configuration has errors"));
}

#[test]
fn a_change_is_measured_by_the_routing_rules_it_starts_from() {
    let repository = Repository::of("blast-radius");
    let policy = "apiVersion: bindery/v1\nkind: Policy\nspec:\n  routing: {sameOperatorNesting: allow}\n";
    repository.write("policy.yaml", policy);
    let path = "operators/all.yaml";
    let nested = repository.read(path).replace(", narrows: \"+93\"", "");
    repository.write(path, &nested);
    assert_eq!(repository.bindery(&["check", "--at", "2026-11-24"]).status.code(), Some(0));
    let output = repository.bindery(&["ci", "--at", "2026-11-24", "--format", "concise"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("BND0502"));
}

#[test]
fn a_rename_that_waits_is_a_change() {
    let repository = Repository::of("rename-pending");
    repository.take("rename-pending", "after");
    repository.bindery(&["render"]);
    let plan = repository.bindery(&["plan", "--at", "2026-11-24", "--format", "json"]);
    assert_eq!(plan.status.code(), Some(2), "{}", text(&plan.stderr));
    let value: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let renames = json!([{"oldId": "af-2", "newId": "af-two", "mno": "afone",
        "after": {"effectiveAt": "2026-12-24T12:00:00.000Z", "drainSeconds": 120}}]);
    assert_eq!((&value["renames"], &value["counts"]["scheduled"]), (&renames, &1.into()));
    assert_eq!(
        (&value["operators"], &value["counts"]["renamed"]),
        (&json!([]), &0.into()),
        "nothing is to be done yet"
    );
    repository.commit("rename");
    let again = repository.bindery(&["plan", "--at", "2026-11-24"]);
    assert_eq!((again.status.code(), text(&again.stdout).as_str()), (Some(0), "No changes.\n"));
}

#[test]
fn a_policy_that_is_loosened_over_a_broken_base_is_told() {
    let repository = Repository::of("blast-radius");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("operators/x.yaml", "kind: X\n");
    repository.commit("broken");
    repository.git(&["checkout", "-q", "-b", "mend"]);
    fs::remove_file(repository.path().join("operators/x.yaml")).unwrap();
    repository.take("blast-radius", "after");
    repository.bindery(&["render"]);
    repository.commit("mended, and more");
    let ci = |more: &[&str]| {
        repository.bindery(&[&["ci", "--base", "main", "--at", "2026-11-24", "--comment", "plan.md"], more].concat())
    };
    let (loosened, unseen) = ("rises from 5 to 50", "without a plan no guardrail was looked at");
    let shown = text(&ci(&[]).stdout);
    let comment = repository.read("plan.md");
    let json: Value = serde_json::from_slice(&ci(&["--format", "json"]).stdout).unwrap();
    for told in [&shown, &comment, &json.to_string()] {
        assert!(told.contains("the merge base does not compile"), "{told}");
        assert!(told.contains(loosened) && told.contains(unseen), "{told}");
    }
    assert!(json["plan"].is_null() && json["noPlan"]["loosened"].as_array().unwrap().len() > 1, "{json}");

    repository.git(&["checkout", "-q", "main"]);
    repository.write("policy.yaml", "kind: [\n");
    repository.commit("more broken");
    repository.git(&["checkout", "-q", "-b", "mend-all"]);
    fs::remove_file(repository.path().join("operators/x.yaml")).unwrap();
    repository.take("blast-radius", "after");
    repository.commit("mended");
    let shown = text(&ci(&[]).stdout);
    assert!(shown.contains("the policy of the merge base could not be read") && !shown.contains(loosened), "{shown}");
}

#[test]
fn what_the_branch_protects_by_now_holds_an_older_change() {
    let repository = Repository::of("held-deletes");
    fs::remove_dir_all(repository.path().join("operators")).unwrap();
    repository.take("held-deletes", "after");
    repository.bindery(&["render"]);
    repository.commit("after");
    let ci = || repository.bindery(&["ci", "--base", "main", "--at", "2026-11-24", "--format", "json"]);
    let holds = |output: &Output| serde_json::from_slice::<Value>(&output.stdout).unwrap()["plan"]["holds"].clone();
    let before = holds(&ci());
    let deleted = serde_json::from_slice::<Value>(&ci().stdout).unwrap()["plan"]["operators"].clone();
    let deleted = deleted.as_array().unwrap().iter().find(|change| change["action"] == "delete").unwrap()["id"].clone();
    repository.git(&["checkout", "-q", "main"]);
    let policy = format!("apiVersion: bindery/v1\nkind: Policy\nspec: {{guardrails: {{protect: [{deleted}]}}}}\n");
    repository.write("policy.yaml", &policy);
    repository.commit("protect");
    repository.git(&["checkout", "-q", "change"]);
    let after = holds(&ci());
    let more = after.as_array().unwrap().iter().filter(|hold| !before.as_array().unwrap().contains(hold));
    let more: Vec<_> = more.map(|hold| hold["message"].as_str().unwrap()).collect();
    assert_eq!(more.len(), 1, "{after}");
    assert!(more[0].ends_with("which the policy protects (policy of the base branch)"), "{more:?}");
}

#[test]
fn nothing_printed_for_github_is_a_command_of_the_runner() {
    let repository = Repository::of("update-fields");
    let path = "operators/all.yaml";
    let named = repository.read(path).replacen("displayName: ", "displayName: \"x ##[error]y\\u202e\" #", 1);
    repository.write(path, &named);
    repository.bindery(&["render"]);
    repository.commit("named");
    let output = repository.bindery(&["ci", "--at", "2026-11-24", "--format", "github", "--comment", "plan.md"]);
    let shown = text(&output.stdout);
    assert!(shown.contains(r"##\[error]y") && !shown.contains("##["), "{shown}");
    assert!(!shown.contains('\u{202e}') && !repository.read("plan.md").contains('\u{202e}'), "{shown}");
}

#[test]
fn a_folder_inside_a_repository_is_told_from_none() {
    let repository = Repository::of("update-fields");
    let output = repository.bindery(&["--repo", "operators", "ci"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("operators lies inside the git repository at ") && told.contains("--repo"), "{told}");
}

/// The last step of the pipeline for GitLab, with a `curl` that answers from files and writes down what it is asked to do.
#[test]
fn a_note_of_somebody_else_is_left_alone_on_gitlab() {
    let yaml = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/ci/gitlab-ci.yml")).unwrap();
    let document = bindery_compiler::parse::to_json(&yaml).remove(0);
    let steps: Vec<&str> = document["bindery"]["script"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let place = |word: &str| steps.iter().position(|step| step.starts_with(word)).unwrap();
    assert!(place("bindery ci") < place("bindery fmt"), "a slip in the form leaves a plan");
    let folder = tempfile::tempdir().unwrap();
    let curl = "#!/bin/sh\nfor last in \"$@\"; do :; done\ncase \"$*\" in *--request*) cat >/dev/null; \
                echo \"$*\" >> calls;; *) cat \"$(echo \"$last\" | sed 's/.*[/=]//').json\" 2>/dev/null || echo '[]';; esac\n";
    fs::write(folder.path().join("curl"), curl).unwrap();
    fs::set_permissions(folder.path().join("curl"), fs::Permissions::from_mode(0o755)).unwrap();
    let note = |id: u32, author: u32, body: &str| json!({"id": id, "author": {"id": author}, "body": body});
    let marker = "<!-- bindery:plan -->\nold";
    let page = |number: u32, notes: Value| {
        fs::write(folder.path().join(format!("{number}.json")), notes.to_string()).unwrap();
    };
    fs::write(folder.path().join("user.json"), json!({"id": 7}).to_string()).unwrap();
    fs::write(folder.path().join("plan.md"), "<!-- bindery:plan -->\nnew").unwrap();
    let script = document["bindery"]["after_script"][0].as_str().unwrap();
    let calls = || {
        let _ = fs::remove_file(folder.path().join("calls"));
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
        let done = Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .env("PATH", path)
            .envs([("BINDERY_COMMENT_TOKEN", "t"), ("CI_MERGE_REQUEST_IID", "1"), ("CI_PROJECT_ID", "1")])
            .env("CI_API_V4_URL", "https://gitlab.example/api/v4")
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::read_to_string(folder.path().join("calls")).unwrap()
    };
    page(1, json!([note(1, 9, marker), note(2, 7, "of ours, and no plan")]));
    assert!(calls().contains("--request POST"), "a note of somebody else with the marker is not ours");
    page(2, json!([note(3, 7, "x"), note(4, 7, marker)]));
    let made = calls();
    assert!(made.contains("--request PUT") && made.trim_end().ends_with("/notes/4"), "{made}");
}

#[test]
fn the_hook_checks_what_is_staged() {
    let repository = Repository::of("update-fields");
    let hook = repository.path().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/ci/pre-commit-hook.sh");
    fs::copy(template, &hook).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let commit = || repository.run("git", &["commit", "-q", "-m", "a change"]);

    let path = "operators/all.yaml";
    let before = repository.read(path);
    repository.write(path, &before.replace("port: ", "port: x"));
    repository.git(&["add", path]);
    // The working tree is repaired, and the commit would still be broken.
    repository.write(path, &before);
    let refused = commit();
    assert!(!refused.status.success());
    assert!(text(&refused.stdout).contains("error BND0") || text(&refused.stderr).contains("error BND0"));

    let renamed = before.replacen("name: ", "name: New ", 1);
    assert_ne!(renamed, before);
    repository.write(path, &renamed);
    repository.git(&["add", path]);
    let stale = commit();
    assert!(!stale.status.success() && text(&stale.stderr).contains("stage the runbooks"), "{}", text(&stale.stderr));
    assert!(repository.bindery(&["render"]).status.success());
    repository.git(&["add", "-A"]);
    let accepted = commit();
    assert!(accepted.status.success(), "{}{}", text(&accepted.stdout), text(&accepted.stderr));
}

#[test]
fn what_only_an_environment_would_see_is_said_and_held() {
    let repository = Repository::of("environment-beside-base");
    repository.take("environment-beside-base", "after");
    assert!(repository.bindery(&["render"]).status.success());
    let plan = |more: &[&str]| repository.bindery(&[&["plan", "--at", "2026-11-24"], more].concat());
    let told: Value = serde_json::from_slice(&plan(&["--format", "json"]).stdout).unwrap();
    let staging = &told["environments"][1];
    assert_eq!((&staging["name"], &staging["counts"]["updated"]), (&"staging".into(), &1.into()), "{told}");
    assert!(staging["holds"].as_array().unwrap().iter().any(|hold| hold["guardrail"] == "guardrails.protect"));
    // Its own plan has the same hash and says the same.
    let alone: Value = serde_json::from_slice(&plan(&["--format", "json", "--env", "staging"]).stdout).unwrap();
    assert_eq!(
        (&alone["hash"], &alone["trailer"], &alone["holds"]),
        (&staging["hash"], &staging["trailer"], &staging["holds"])
    );
    assert_eq!(alone["environments"], Value::Array(Vec::new()));

    let ci: Value = serde_json::from_slice(
        &repository.bindery(&["ci", "--at", "2026-11-24", "--format", "json", "--comment", "plan.md"]).stdout,
    )
    .unwrap();
    assert_eq!(ci["plan"]["environments"], told["environments"]);
    let held = ci["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "BND0801");
    assert!(held.clone().count() == 1 && held.clone().all(|f| f["message"].to_string().contains("`staging`")), "{ci}");
    assert!(repository.read("plan.md").contains(staging["trailer"].as_str().unwrap()));

    // Where nothing else changes, these are changes all the same.
    let repository = Repository::of("only-another-environment");
    repository.take("only-another-environment", "after");
    let output = repository.bindery(&["plan", "--at", "2026-11-24"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert!(text(&output.stdout).starts_with("No changes to the base.\n"), "{}", text(&output.stdout));
}

/// What a pipeline and the hook run, on a repository as `init` leaves it.
#[test]
fn a_new_repository_passes_its_own_pipeline() {
    let repository = Repository(tempfile::tempdir().unwrap());
    repository.git(&["init", "-q", "-b", "main"]);
    let output = repository.bindery(&["init"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let runbook = "runbooks/mno/example.md";
    assert!(text(&output.stdout).contains(runbook) && repository.read(runbook).contains("Example Telecom"));
    let hook = repository.path().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/ci/pre-commit-hook.sh"), &hook).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repository.git(&["add", "--all"]);
    let accepted = repository.run("git", &["commit", "-q", "-m", "new"]);
    assert!(accepted.status.success(), "{}{}", text(&accepted.stdout), text(&accepted.stderr));
    for arguments in [&["ci", "--deny", "warnings"][..], &["fmt", "--check"], &["render", "--check"]] {
        let output = repository.bindery(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?} {}{}", text(&output.stdout), text(&output.stderr));
    }
    // One source for what is copied and what is written.
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/ci");
    for (ours, template) in
        [(".github/workflows/bindery.yaml", "github-actions.yml"), (".gitlab-ci.yml", "gitlab-ci.yml")]
    {
        assert_eq!(repository.read(ours), fs::read_to_string(templates.join(template)).unwrap());
    }
}

#[test]
fn the_pipelines_are_yaml_and_call_what_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/ci");
    for (file, format) in [("github-actions.yml", "github"), ("gitlab-ci.yml", "junit")] {
        let yaml = fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(bindery_compiler::parse::to_json(&yaml).len(), 1, "{file}");
        assert!(yaml.contains(&format!("bindery ci --format {format} --comment plan.md")), "{file}");
        assert!(yaml.contains(bindery_compiler::plan::markdown::MARKER), "{file}");
    }
}
