-- What people tell the sync. Kept where every agent reads it, so that it outlives a restart and a change of the leader.

-- The plan that a guardrail holds, with all it would change. There is one at most: a newer commit replaces it.
create table ops.held_plan (
    singleton   boolean primary key default true check (singleton),
    commit      text not null,
    plan_hash   text not null,
    holds       jsonb not null,
    counts      jsonb not null,
    plan        jsonb not null,
    -- The same for people.
    summary     text not null,
    held_at     timestamptz not null default now(),
    -- Over the admin API, by this very hash; a commit's trailer needs no row.
    released_by text,
    released_at timestamptz
);

-- While this row's end lies ahead, commits are looked at and not applied.
create table ops.sync_pause (
    singleton boolean primary key default true check (singleton),
    reason    text not null,
    paused_by text not null,
    since     timestamptz not null default now(),
    until     timestamptz not null
);

-- Trees that a rollback took back. A tip with one of them is rejected until someone allows the revision again.
create table ops.refused_trees (
    tree       text primary key,
    -- The commit that was rolled back; it and those that were on top of it have these trees.
    revision   text not null,
    reason     text,
    refused_by text not null,
    refused_at timestamptz not null default now()
);
