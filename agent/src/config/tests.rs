use super::*;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("agent.toml");
    std::fs::write(&file, text).unwrap();
    let variables = variables.iter().map(|(name, value)| (format!("{VARIABLES}{name}"), (*value).to_owned()));
    Config::read(Some(&file), variables).map_err(|error| error.to_string())
}

/// Everything without a default.
const LEAST: &str = r#"
data_dir = "/d"
[repository]
url = "https://git.example/carriers.git"
[postgres]
url = "postgres://db.example/ops"
[vault]
addr = "https://vault.example:8200"
token = "t0ken"
[nats]
url = "nats://nats.example"
[redis]
url = "redis://redis.example"
[admin]
listen = "127.0.0.1:0"
jwks = "/j"
issuer = "i"
audience = "a"
[internal]
listen = "127.0.0.1:0"
cert = "/c"
key = "/k"
client_ca = "/ca"
allow_credentials = ["one"]
[ops]
listen = "127.0.0.1:0"
"#;

#[test]
fn a_variable_stays_the_text_it_is() {
    let config = read(
        LEAST,
        &[
            ("VAULT__TOKEN", "007"),
            ("NATS__USER", "1e3"),
            ("NATS__PASSWORD", "true"),
            ("POSTGRES__MAX_CONNECTIONS", "7"),
            ("REPOSITORY__POLL_SECONDS", "0.25"),
            ("INTERNAL__ALLOW_READ", r#"["two","three"]"#),
            ("REDIS__PASSWORD__FILE", "/p"),
            ("OPS__LISTEN", "127.0.0.1:9"),
            ("LIMITS__BURST", "70"),
            ("ADMIN__CORS_ORIGINS", r#"["https://console.example"]"#),
        ],
    )
    .unwrap();
    assert_eq!(config.vault.token.unwrap().read().unwrap().expose(), "007");
    assert_eq!(config.nats.user.as_deref(), Some("1e3"));
    assert_eq!(config.nats.password.unwrap().read().unwrap().expose(), "true");
    assert_eq!((config.postgres.max_connections, config.repository.poll()), (7, Duration::from_millis(250)));
    assert_eq!(config.internal.allow_read, ["two", "three"]);
    assert!(matches!(config.redis.password, Some(SecretSource::File(path)) if path == Path::new("/p")));
    assert_eq!((config.ops.listen.port(), config.limits.burst), (9, 70));
    assert_eq!(config.admin.origins(), ["https://console.example"]);
}

#[test]
fn a_secret_comes_from_a_file_or_a_variable_and_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "from-a-file\n").unwrap();
    let source = format!("{{ file = {:?} }}", file.display().to_string());
    let config = read(&LEAST.replace(r#""t0ken""#, &source), &[]).unwrap();
    let token = config.vault.token.clone().unwrap();
    assert_eq!(token.read().unwrap().expose(), "from-a-file");
    std::fs::remove_file(&file).unwrap();
    assert!(token.read().unwrap_err().to_string().contains("cannot be read"));

    let config = read(&LEAST.replace(r#""t0ken""#, r#"{ env = "PATH" }"#), &[]).unwrap();
    assert_eq!(config.vault.token.unwrap().read().unwrap().expose(), std::env::var("PATH").unwrap());

    let secret = "postgres://u:k3y7pq2x@db.example/ops";
    let shown = read(LEAST, &[("VAULT__TOKEN", "k3y7pq2x"), ("POSTGRES__URL", secret)]);
    assert!(!format!("{shown:?}").contains("k3y7pq2x"));
}

#[test]
fn what_cannot_be_meant_is_an_error_without_the_secret() {
    let table = [
        (r#"token = "t0ken""#, "token = 73194685", "has to stand in quotes"),
        (r#"token = "t0ken""#, r#"token = { path = "/p" }"#, "unknown field"),
        (r#"token = "t0ken""#, r#"token = { file = "/p", env = "P" }"#, "one place"),
        (r#"token = "t0ken""#, "", "either a `token` or a section [vault.approle]"),
        ("https://git.example", "https://ann:73194685@git.example", "repository.password"),
        (r#"url = "redis://redis.example""#, "url = \"redis://r\"\nmode = \"cluster\"", "hash tag"),
        (r#"url = "redis://redis.example""#, "url = \"redis://r\"\nmode = \"sentinel\"", "redis.service"),
        (r#"url = "nats://nats.example""#, "url = \"nats://n\"\nuser = \"u\"", "go together"),
        (r#"url = "nats://nats.example""#, "url = \"nats://n\"\nnkey = \"S\"\ncreds = \"/c\"", "one of"),
        ("[ops]", "[ops]\nlisten_on = 1", "unknown field"),
        (r#"audience = "a""#, "audience = \"a\"\ncors_origins = [\"*\"]", "cors_origins"),
        (r#"audience = "a""#, "audience = \"a\"\ncors_origins = [\"https://c.example/\"]", "cors_origins"),
        ("[ops]", "[limits]\ntimeout_seconds = 5\n[ops]", "from 15 to 300"),
        ("[ops]", "[limits]\nburst = 0\n[ops]", "limits.burst"),
        ("[ops]", "[limits]\nconcurrent = 0\n[ops]", "limits.concurrent"),
        ("[ops]", "[limits]\nbody_bytes = 1\n[ops]", "limits.body_bytes"),
        ("[ops]", "[telemetry]\notlp_endpoint = \"collector:4317\"\n[ops]", "http://collector.example"),
        ("[ops]", "[telemetry]\notlp_endpoint = \"http://u:73194685@c\"\n[ops]", "telemetry.otlp_headers"),
        ("[ops]", "[telemetry]\nsample_ratio = 1.5\n[ops]", "from 0 to 1"),
        ("[ops]", "[telemetry.tls]\ncert = \"/c\"\n[ops]", "go together"),
    ];
    for (from, to, message) in table {
        let error = read(&LEAST.replace(from, to), &[]).unwrap_err();
        assert!(error.contains(message) && !error.contains("73194685"), "{to}: {error}");
    }
}

#[test]
fn the_example_has_every_key() {
    let text = include_str!("../../agent.example.toml");
    let config = Config::load(Some(Path::new("agent.example.toml"))).unwrap();
    assert_eq!(config.environment, production());
    assert_eq!(config.repository.branch, "main");
    // Keys with a default could be left out unseen; those without one are what `load` insists on.
    for key in [
        "environment",
        "branch",
        "poll_seconds",
        "timeout_seconds",
        "user",
        "password",
        "webhook_secret",
        "nats_subject",
        "max_connections",
        "migrate_url",
        "acquire_seconds",
        "statement_seconds",
        "mount",
        "stream",
        "subject_prefix",
        "mode",
        "key_prefix",
        "identity_file",
        "outbox_days",
        "routing_changes_days",
        "sync_runs_days",
        "deleted_secrets_days",
        "every_seconds",
        "endpoint",
        "region",
        "roles_claim",
        "tenant_claim",
        "clock_skew_seconds",
        "cors_origins",
        "body_bytes",
        "requests_per_second",
        "burst",
        "concurrent",
        "otlp_endpoint",
        "otlp_headers",
        "sample_ratio",
        "client_crl",
        "allow_read",
    ] {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key}");
    }
    let sections = text.split("\n\n");
    for section in sections.filter(|section| section.contains(" = ")) {
        let comments = section.lines().filter(|line| line.starts_with('#')).count();
        let keys = section.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count();
        assert!(comments >= keys, "a key without a comment: {section}");
    }
}

#[test]
fn every_example_of_a_connection_is_understood() {
    let mut seen = 0;
    for entry in std::fs::read_dir("examples").unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // An example tells of a few sections; the others are as they are in the smallest configuration.
        let section = |line: &str| {
            line.strip_prefix('[')?.strip_suffix(']').map(|name| name.split('.').next().unwrap().to_owned())
        };
        let told: Vec<String> = text.lines().filter_map(section).collect();
        let mut keep = true;
        let rest: Vec<&str> = LEAST
            .lines()
            .filter(|line| {
                keep = section(line).map_or(keep, |name| !told.contains(&name));
                keep
            })
            .collect();
        let config = read(&format!("{}\n{text}", rest.join("\n")), &[]);
        assert!(config.is_ok(), "{}: {config:?}", path.display());
        seen += 1;
    }
    assert!(seen >= 8, "{seen}");
}
