-- What is kept for a while only: see `retention` in the agent's configuration.
alter table ops.routing_changes add column at timestamptz not null default now();

-- Passwords that are deleted in Vault and could still be brought back. Destroyed for good after a while.
create table ops.deleted_secrets (
    operator_id text primary key,
    deleted_at  timestamptz not null default now()
);
insert into ops.deleted_secrets (operator_id, deleted_at)
    select id, deleted_at from ops.operators where deleted_at is not null;
