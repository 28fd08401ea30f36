//! Who may do what, written out: each endpoint of the document, each role, and tokens that are good and bad.

use std::time::Duration;

use bindery_agent::cli::token::{DEV_AUDIENCE, DEV_ISSUER, Token};
use bindery_agent::http::permissions::Role;
use bindery_tests::document::{Document, Operation};
use bindery_tests::listeners::{Served, answer};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// The columns of the table.
const ROLES: [Role; 6] = [Role::CarrierAdmin, Role::Sre, Role::Noc, Role::Finance, Role::Tenant, Role::ReadOnly];

/// `yes` may, `-` may not, `own` may where the tenant is its own. What stands here is what was decided; it is read by
/// nothing but this test.
const TABLE: &str = "
                                                              carrier-admin  sre  noc  finance  tenant  read-only
GET    /v1/admin/operators                                    yes            yes  yes  yes      -       yes
POST   /v1/admin/operators                                    yes            -    -    -        -       -
GET    /v1/admin/operators/{id}                               yes            yes  yes  yes      -       yes
PATCH  /v1/admin/operators/{id}                               yes            -    -    -        -       -
DELETE /v1/admin/operators/{id}                               yes            -    -    -        -       -
GET    /v1/admin/operators/{id}/routing-rules                 yes            yes  yes  yes      -       yes
POST   /v1/admin/operators/{id}/routing-rules                 yes            -    -    -        -       -
GET    /v1/admin/operators/{id}/routing-rules/{rule}          yes            yes  yes  yes      -       yes
PATCH  /v1/admin/operators/{id}/routing-rules/{rule}          yes            -    -    -        -       -
DELETE /v1/admin/operators/{id}/routing-rules/{rule}          yes            -    -    -        -       -
GET    /v1/admin/operators/{id}/health                        yes            yes  yes  yes      -       yes
GET    /v1/admin/operators/{id}/health/history                yes            yes  yes  yes      -       yes
GET    /v1/admin/health/stream                                yes            yes  yes  yes      -       yes
GET    /v1/admin/mnos                                         yes            yes  yes  yes      -       yes
POST   /v1/admin/mnos                                         yes            -    -    -        -       -
GET    /v1/admin/mnos/{id}                                    yes            yes  yes  yes      -       yes
PATCH  /v1/admin/mnos/{id}                                    yes            -    -    -        -       -
DELETE /v1/admin/mnos/{id}                                    yes            -    -    -        -       -
POST   /v1/admin/changesets                                   yes            -    -    -        -       -
GET    /v1/admin/tps-contracts                                yes            yes  yes  yes      -       yes
POST   /v1/admin/tps-contracts                                yes            -    -    yes      -       -
GET    /v1/admin/tps-contracts/{id}                           yes            yes  yes  yes      -       yes
PATCH  /v1/admin/tps-contracts/{id}                           yes            -    -    yes      -       -
DELETE /v1/admin/tps-contracts/{id}                           yes            -    -    yes      -       -
GET    /v1/admin/tenants/{id}/reservations                    yes            yes  yes  yes      own     yes
POST   /v1/admin/tenants/{id}/reservations                    yes            -    -    yes      -       -
GET    /v1/admin/tenants/{id}/reservations/{reservation}      yes            yes  yes  yes      own     yes
PATCH  /v1/admin/tenants/{id}/reservations/{reservation}      yes            -    -    yes      -       -
DELETE /v1/admin/tenants/{id}/reservations/{reservation}      yes            -    -    yes      -       -
GET    /v1/admin/sync                                         yes            yes  yes  yes      -       yes
GET    /v1/admin/sync/held                                    yes            yes  yes  yes      -       yes
GET    /v1/admin/sync/runs                                    yes            yes  yes  yes      -       yes
GET    /v1/admin/sync/drift                                   yes            yes  yes  yes      -       yes
POST   /v1/admin/sync/drift                                   yes            yes  -    -        -       -
POST   /v1/admin/sync/trigger                                 yes            yes  -    -        -       -
POST   /v1/admin/sync/pause                                   yes            yes  yes  -        -       -
DELETE /v1/admin/sync/pause                                   yes            yes  yes  -        -       -
POST   /v1/admin/sync/held/{hash}/release                     yes            yes  -    -        -       -
POST   /v1/admin/sync/rollback                                yes            yes  -    -        -       -
DELETE /v1/admin/sync/refused/{revision}                      yes            yes  -    -        -       -
GET    /v1/admin/audit                                        yes            yes  yes  -        -       yes
";

/// What needs no token: it says nothing about anybody's configuration, or is proved otherwise.
const OPEN: [&str; 5] =
    ["GET /docs", "GET /docs/page.css", "GET /docs/page.js", "GET /openapi.json", "POST /v1/hooks/git"];

/// The tenant whose reservations are asked for.
const TENANT: &str = "bank";

/// A row of the table: what is asked, and a word for each role.
fn rows() -> Vec<(String, Vec<&'static str>)> {
    let words = |line: &'static str| line.split_whitespace().collect::<Vec<_>>();
    let lines = TABLE.lines().map(words).filter(|words| words.len() == ROLES.len() + 2);
    lines.map(|words| (format!("{} {}", words[0], words[1]), words[2..].to_vec())).collect()
}

fn token(world: &Served, role: Role, tenant: Option<&str>) -> Token {
    Token {
        roles: vec![role],
        subject: format!("a-{role}"),
        tenant: tenant.map(str::to_owned),
        ttl: Duration::from_secs(3_600),
        key: world.stack.pki.jwt_key.clone(),
        issuer: DEV_ISSUER.to_owned(),
        audience: DEV_AUDIENCE.to_owned(),
    }
}

/// Asks for something that is nowhere, so that whoever may does no harm.
async fn ask(client: &Client, base: &str, operation: &Operation, token: Option<&str>) -> (u16, Value) {
    let path = if operation.path.contains("/tenants/") {
        operation.path.replace("{id}", TENANT).replace("{reservation}", "-")
    } else {
        ["{id}", "{rule}", "{hash}", "{revision}"]
            .iter()
            .fold(operation.path.clone(), |path, name| path.replace(name, "-"))
    };
    let method: Method = operation.method.parse().unwrap();
    let mut request = client.request(method, format!("{base}{path}"));
    if operation.said.get("requestBody").is_some_and(|body| body["required"] == true) {
        request = request.json(&json!({}));
    }
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn every_endpoint_is_open_to_the_roles_of_the_table_and_to_nobody_else() {
    let world = Served::with(|config| config.limits.requests_per_second = 0).await;
    // It has no spec that could be shown.
    world.sql("delete from ops.mnos").await;
    let base = format!("http://{}", world.listeners.admin);
    let document = Document::of(&base).await;
    let rows = rows();
    let mut written: Vec<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    let (guarded, open): (Vec<_>, Vec<_>) = document.operations().into_iter().partition(Operation::needs_token);
    let mut documented: Vec<String> = guarded.iter().map(Operation::name).collect();
    written.sort();
    documented.sort();
    assert_eq!(written, documented, "a route is missing in the table, or the table has one that is gone");
    let mut open: Vec<String> = open.iter().map(Operation::name).collect();
    open.sort();
    assert_eq!(open, OPEN);

    let now = Timestamp::now();
    let past = now - SignedDuration::from_secs(7_200);
    let client = Client::new();
    for (index, role) in ROLES.into_iter().enumerate() {
        let own = token(&world, role, Some(TENANT));
        let foreign = token(&world, role, Some("shop"));
        let good = [own.sign(now).unwrap(), foreign.sign(now).unwrap(), token(&world, role, None).sign(now).unwrap()];
        let other = Token { audience: "other".to_owned(), ..own.clone() };
        let bad = [None, Some(own.sign(past).unwrap()), Some(other.sign(now).unwrap())];
        for operation in &guarded {
            let name = operation.name();
            let decided = rows.iter().find(|(row, _)| *row == name).unwrap().1[index];
            for (token, case) in bad.iter().zip(["no token", "expired", "another audience"]) {
                let (status, body) = ask(&client, &base, operation, token.as_deref()).await;
                assert_eq!((status, &body["code"]), (401, &json!("UNAUTHENTICATED")), "{name} {role}: {case}");
            }
            for (token, case) in good.iter().zip(["own tenant", "another tenant", "no tenant"]) {
                let (status, body) = ask(&client, &base, operation, Some(token)).await;
                let may = match decided {
                    "yes" => true,
                    "own" => case == "own tenant",
                    _ => false,
                };
                if may {
                    assert!(!matches!(status, 401 | 403) && status < 500, "{name} {role}: {case}: {status} {body}");
                } else {
                    assert_eq!((status, &body["code"]), (403, &json!("FORBIDDEN")), "{name} {role}: {case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_second_role_adds_and_unknown_ones_say_nothing() {
    let world = Served::new().await;
    let base = format!("http://{}", world.listeners.admin);
    let document = Document::of(&base).await;
    let list = document.operation("listReservations");
    let both = Token { roles: vec![Role::Tenant, Role::ReadOnly], ..token(&world, Role::Tenant, Some("shop")) };
    let now = Timestamp::now();
    assert_eq!(ask(&Client::new(), &base, &list, Some(&both.sign(now).unwrap())).await.0, 200);
    let none = Token { roles: vec![], ..both };
    assert_eq!(ask(&Client::new(), &base, &list, Some(&none.sign(now).unwrap())).await.0, 403);
}
