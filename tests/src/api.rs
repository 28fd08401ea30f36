//! The admin API as somebody with a token uses it.

#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends where something it needs is missing")]

use bindery_agent::http::permissions::Role;
use bindery_agent::runtime::Agent;
use git2::Oid;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::documents;
use crate::listeners::streams;
use crate::world::{World, until_applied};

/// A caller of one agent.
#[derive(Debug, Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

/// An answer in full.
#[derive(Debug)]
pub struct Answered {
    /// Status code.
    pub status: u16,
    /// The object's entity tag.
    pub tag: Option<String>,
    /// Where the object is found.
    pub location: Option<String>,
    /// The body; null where there is none.
    pub body: Value,
}

impl Api {
    /// A caller by name and role.
    pub fn of(world: &World, agent: &Agent, name: &str, role: Role) -> Self {
        let base = format!("http://{}/v1/admin", agent.listeners().admin);
        Self { client: Client::new(), base, token: world.token(name, role) }
    }

    /// A request, to be given headers or a body.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Answered {
        Answered::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    /// Creates.
    pub async fn post(&self, path: &str, body: &Value) -> Answered {
        Answered::of(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    /// Changes.
    pub async fn patch(&self, path: &str, body: &Value) -> Answered {
        Answered::of(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    /// Deletes.
    pub async fn delete(&self, path: &str) -> Answered {
        Answered::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }
}

impl Answered {
    /// Reads an answer to its end; of a stream, which has none, the head alone.
    pub async fn of(response: Response) -> Self {
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, tag, location) = (response.status().as_u16(), header("etag"), header("location"));
        let text = if streams(&response) { String::new() } else { response.text().await.unwrap() };
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Self { status, tag, location, body }
    }

    /// Status and code of a problem.
    pub fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// The password of [`premium`].
pub const PASSWORD: &str = "k3y7pq2x";
/// Where operators are.
pub const OPERATORS: &str = "/operators";

/// What creates the operator `carrier-premium` at a host.
pub fn premium(host: &str) -> Value {
    json!({"mno": "carrier", "password": PASSWORD, "spec": {
        "displayName": "Carrier premium", "smpp": {"host": host, "port": 2775, "systemId": "premium"},
        "tps": {"outbound": 20}}})
}

/// A branch with a policy that says whom passwords are sealed to, one carrier with a contract and one operator, which
/// an agent has applied.
pub async fn small(world: &World) -> Agent {
    applied(world, small_branch(world)).await
}

/// That branch, for an agent yet to be started; its tip.
pub fn small_branch(world: &World) -> Oid {
    let recipient = &world.stack.pki.age_recipient;
    begun(world, format!("{}  secrets:\n    recipients: [{recipient}]\n", documents::POLICY))
}

/// The same without anybody whom passwords are sealed to: they are in Vault alone.
pub async fn unsealed(world: &World) -> Agent {
    applied(world, begun(world, documents::POLICY.to_owned())).await
}

fn begun(world: &World, policy: String) -> Oid {
    world.commit("Begin", &[]);
    world.commit(
        "A carrier and an operator",
        &[
            ("policy.yaml", Some(policy)),
            ("operators/carrier/mno.yaml", Some(documents::mno("carrier"))),
            ("contracts/carrier.yaml", Some(documents::contract("carrier", 100))),
            ("operators/carrier/first.yaml", Some(documents::operator("first", "carrier", "first.example", None))),
            ("operators/carrier/first.routes.yaml", Some(documents::routes("first", &["9370"]))),
        ],
    )
}

async fn applied(world: &World, commit: Oid) -> Agent {
    let agent = world.agent().await;
    until_applied(&agent, commit).await;
    agent
}
