//! Damage to Vault, Redis and NATS, and stores that are down or restored.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_vault_is_told_or_healed() {
    for (engine, mut world) in [("v2", World::new().await), ("v1", World::with_versionless_vault().await)] {
        world.config.drift = policy(DriftPolicy::Report);
        let mut files = small(&world);
        let set =
            operator("two", "carrier", "two.example", None) + "  credentials: {rotatedAt: 2026-01-01T00:00:00Z}\n";
        files[4].1 = Some(set);
        let first = world.commit("First", &files);
        let agent = world.agent().await;
        until_settled(&agent, first).await;
        // One that was set outside git cannot be made anew.
        assert_eq!(told(&look(&agent, &HEAL).await), ["missing operator/two -"], "{engine}");
        let stores = world.stores().await;
        stores.vault.write_credentials(&id("two"), "sys-two", &Secret::new("0utside1"), Some(0)).await.unwrap();
        assert_eq!(look(&agent, &HEAL).await.count(), 0, "{engine}");

        damage_vault(&agent, false).await;
        let found = look(&agent, &HEAL).await;
        let expected =
            ["differs operator/one password", "differs operator/one systemId", "unknown operator/stranger -"];
        assert_eq!(told(&found), expected, "{engine}");
        assert_eq!(found.stores[&Store::Vault].outcome, DriftOutcome::Reported);
        let text = serde_json::to_string(&found).unwrap();
        assert!(["s3cret", "byh4nd"].iter().all(|password| !text.contains(password)), "{text}");
        let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
        assert_eq!(one.password.expose(), "byh4nd01");
        agent.shutdown().await;

        world.config.drift = policy(DriftPolicy::Heal);
        let agent = world.agent().await;
        until_settled(&agent, first).await;
        for deleted in [false, true] {
            damage_vault(&agent, deleted).await;
            // One secret of three, or of two, is more than a quarter.
            let held = look(&agent, &HEAL).await;
            assert_eq!(held.stores[&Store::Vault].outcome, DriftOutcome::Held, "{engine} {held:?}");
            let hash = held.plan_hash.unwrap();
            let healed = if deleted {
                let release = format!("Go on\n\nBindery-Allow: {hash}\n");
                until_applied(&agent, world.commit(&release, &[])).await;
                look(&agent, &HEAL).await
            } else {
                look(&agent, &DriftRequest { allow: Some(hash), dry_run: false }).await
            };
            assert_eq!(healed.stores[&Store::Vault].outcome, DriftOutcome::Healed, "{engine} {healed:?}");
            let one = stores.vault.read_credentials(&id("one")).await.unwrap().unwrap();
            assert_eq!((one.system_id.as_str(), one.password.expose()), ("sys-one", "s3cret01"), "{engine}");
            assert!(stores.vault.read_credentials(&id("stranger")).await.unwrap().is_none(), "{engine}");
            let two = stores.vault.read_credentials(&id("two")).await.unwrap().unwrap();
            assert_eq!(two.password.expose(), "0utside1", "{engine}");
            assert_eq!(look(&agent, &HEAL).await.count(), 0, "{engine}");
        }
        let rows = "select count(*) from ops.audit_log where action = 'drift.heal' and object = 'operator/one'";
        assert_eq!(count(&stores.postgres, rows).await, 2, "{engine}");
        for (table, text) in world.outside().await.tables().await {
            assert!(
                ["s3cret", "byh4nd", "0utside"].iter().all(|password| !text.contains(password)),
                "{engine} {table}"
            );
        }
        assert_eq!(count(&stores.postgres, "select count(*) from ops.secret_intents").await, 0, "{engine}");
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_cache_is_told_or_healed() {
    for way in [DriftPolicy::Report, DriftPolicy::Heal] {
        let (world, agent, _) = world(way).await;
        let redis = &agent.shared().stores.redis;
        let mut moved = redis_text(&world, "ops:operator:one").await.unwrap();
        moved["smpp"]["host"] = json!("evil.example");
        let mut set = redis::pipe();
        set.set(redis.key("ops:operator:one"), moved.to_string()).del(redis.key("ops:tps:carrier:OUTBOUND"));
        set.set(redis.key("ops:operator:stranger"), "no JSON").set(redis.key("ops:operator:two"), "no JSON");
        set.query_async::<()>(&mut redis.connection()).await.unwrap();
        let found = look(&agent, &HEAL).await;
        let lines = told(&found);
        let expected = [
            "differs ops:operator:one smpp.host",
            "missing ops:tps:carrier:OUTBOUND -",
            "unknown ops:operator:stranger -",
        ];
        assert!(expected.iter().all(|line| lines.contains(&(*line).to_owned())), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("ops:operator:two")), "{lines:?}");
        let outcome = found.stores[&Store::Redis].outcome;
        let again = look(&agent, &LOOK).await;
        if way == DriftPolicy::Report {
            assert_eq!((outcome, told(&again)), (DriftOutcome::Reported, lines));
        } else {
            assert_eq!((outcome, again.count()), (DriftOutcome::Healed, 0), "{again:?}");
            let rows = "select count(*) from ops.audit_log where action = 'drift.heal'";
            assert_eq!(count(&agent.shared().stores.postgres, rows).await, 4);
        }
        agent.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_cache_is_found_and_filled() {
    let (world, agent, _) = world(DriftPolicy::Heal).await;
    let redis = &agent.shared().stores.redis;
    let keys: Vec<String> = redis.projections().await.unwrap().into_keys().collect();
    let mut flush = redis::cmd("DEL");
    flush.arg(keys.iter().map(|key| redis.key(key)).collect::<Vec<_>>());
    // The agent fills an empty cache by itself, and may be sooner than a look.
    eventually("a look finds it empty", async || {
        flush.query_async::<()>(&mut redis.connection()).await.unwrap();
        let found = look(&agent, &HEAL).await;
        let missing: Vec<String> = keys.iter().map(|key| format!("missing {key} -")).collect();
        told(&found) == missing && found.stores[&Store::Redis].outcome == DriftOutcome::Healed
    })
    .await;
    assert_eq!(look(&agent, &LOOK).await.count(), 0);
    let rows = "select count(*) from ops.audit_log where action = 'drift.heal' and detail->>'store' = 'redis'
                and object in ('operator/one', 'operator/two', 'mno/carrier', 'ops:catalog')";
    assert!(world.outside().await.count(rows).await >= 4);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_gone_comes_back() {
    let (world, agent, _) = world(DriftPolicy::Heal).await;
    let nats = world.stores().await.nats;
    let context = async_nats::jetstream::new(nats.client().clone());
    context.delete_stream(&world.config.nats.stream).await.unwrap();
    let object = format!("stream/{}", world.config.nats.stream);
    let found = look(&agent, &HEAL).await;
    assert_eq!(told(&found), [format!("missing {object} -")]);
    assert_eq!(found.stores[&Store::Nats].outcome, DriftOutcome::Healed);
    assert_eq!(look(&agent, &HEAL).await.count(), 0);
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_down_is_not_observed_and_not_healed() {
    use DriftOutcome::{None, NotObserved};
    let mut world = World::alone().await;
    world.config.drift = policy(DriftPolicy::Heal);
    let first = world.commit("First", &small(&world));
    let agent = world.agent().await;
    until_settled(&agent, first).await;
    let outcomes = |report: &DriftReport| Store::ALL.map(|store| report.stores[&store].outcome);
    world.stack.vault.seal().await.unwrap();
    assert_eq!(outcomes(&look(&agent, &HEAL).await), [None, NotObserved, None, None]);
    world.stack.vault.unseal().await.unwrap();
    world.stack.redis.kill().await;
    assert_eq!(outcomes(&look(&agent, &HEAL).await), [None, None, NotObserved, None]);
    world.stack.redis.restart().await.unwrap();
    world.stack.nats.kill().await;
    let found = look(&agent, &HEAL).await;
    assert_eq!((found.stores[&Store::Nats].outcome, found.is_complete()), (NotObserved, false));
    world.stack.nats.restart().await.unwrap();
    world.stack.postgres.kill().await;
    let found = outcomes(&look(&agent, &HEAL).await);
    // Which passwords are being written only Postgres knows.
    assert_eq!(found[..2], [NotObserved, NotObserved]);
    world.stack.postgres.restart().await.unwrap();
    eventually("everything is observed again", async || {
        let report = look(&agent, &HEAL).await;
        report.is_complete() && report.count() == 0
    })
    .await;
    // Nothing was taken for empty, so nothing was written.
    assert_eq!(look(&agent, &HEAL).await.generation, 1);
    assert_eq!(world.stores().await.vault.version(&id("one")).await.unwrap(), Some(1));
    agent.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_from_after_a_restored_backup_is_overtaken() {
    let (world, agent, first) = world(DriftPolicy::Heal).await;
    let redis = agent.shared().stores.redis.clone();
    let catalog = |generation: i64| {
        json!({ "commit": "f".repeat(40), "generation": generation, "appliedAt": "2026-01-01T00:00:00.000Z" })
            .to_string()
    };
    let show = async |generation| {
        let mut connection = redis.connection();
        redis::cmd("SET")
            .arg(redis.key("ops:catalog"))
            .arg(catalog(generation))
            .query_async::<()>(&mut connection)
            .await
            .unwrap();
    };
    let shows = async |generation: i64| {
        redis_text(&world, "ops:catalog")
            .await
            .is_some_and(|shown| shown["generation"] == generation && shown["commit"] == first.to_string())
    };
    // The same number for another commit, and a larger one.
    for (lost, next) in [(1, 2), (9, 10)] {
        show(lost).await;
        eventually("the cache is overtaken", async || shows(next).await).await;
        let pool = &agent.shared().stores.postgres;
        assert_eq!(count(pool, "select generation from ops.sync_state").await, next);
    }
    // A number nobody ever counted to.
    show(i64::MAX).await;
    eventually("the cache is filled anew", async || shows(10).await).await;
    let moved = operator("two", "carrier", "moved.example", None);
    let second = world.commit("Second", &[("operators/carrier/two.yaml", Some(moved))]);
    let status = until_applied(&agent, second).await;
    assert_eq!(status.applied.unwrap().generation, 11);
    let rows = "select count(*) from ops.audit_log where action = 'sync.overtake'";
    assert_eq!(count(&agent.shared().stores.postgres, rows).await, 2);
    assert_eq!(look(&agent, &HEAL).await.count(), 0);
    agent.shutdown().await;
}
