-- The log of health in partitions, one a month (UTC): what is too old goes as a whole table, without a scan and without
-- dead rows. Ids go on where they were, since streams of changes resume by them.
alter table ops.operator_health_log rename to operator_health_log_before;
alter table ops.operator_health_log_before rename constraint operator_health_log_pkey to operator_health_log_before_pkey;
alter index ops.operator_health_log_operator rename to operator_health_log_before_operator;
alter sequence ops.operator_health_log_id_seq rename to operator_health_log_before_id_seq;

create table ops.operator_health_log (
    id           bigint generated always as identity,
    operator_id  text not null,
    previous     text not null,
    state        text not null,
    reason       text not null,
    connector_id text,
    at           timestamptz not null,
    recorded_at  timestamptz not null default now(),
    -- A partitioned table has no key without what it is partitioned by; the sequence alone makes ids unique.
    primary key (id, at)
) partition by range (at);
create index operator_health_log_operator on ops.operator_health_log (operator_id, id desc);

-- What no month has a partition for: nothing is lost where nobody made one in time.
create table ops.operator_health_log_default partition of ops.operator_health_log default;

-- Up to which id rows were dropped. Whoever knows an id before it may have missed changes.
create table ops.operator_health_log_kept (
    singleton       boolean primary key default true check (singleton),
    dropped_through bigint not null default 0
);
insert into ops.operator_health_log_kept default values;

-- Makes the partition of the month an instant lies in, unless it is there, and moves into it what went to the default one.
create function ops.add_health_log_month(instant timestamptz) returns void language plpgsql
    set search_path = pg_catalog, pg_temp as $$
declare
    first timestamptz := date_trunc('month', instant at time zone 'UTC') at time zone 'UTC';
    after timestamptz := (date_trunc('month', instant at time zone 'UTC') + interval '1 month') at time zone 'UTC';
    name text := 'operator_health_log_' || to_char(instant at time zone 'UTC', 'YYYY_MM');
begin
    if to_regclass('ops.' || name) is not null then
        return;
    end if;
    lock table ops.operator_health_log_default in access exclusive mode;
    execute format('create table ops.%I (like ops.operator_health_log including defaults)', name);
    execute format(
        'with moved as (delete from ops.operator_health_log_default where at >= %L and at < %L returning *)
         insert into ops.%I select * from moved', first, after, name);
    execute format(
        'alter table ops.operator_health_log attach partition ops.%I for values from (%L) to (%L)', name, first, after);
end
$$;

-- Makes the partitions of this month and the next two, drops those that ended more than some days ago, and answers with the
-- names of the dropped ones. The agent's role may call it and nothing like it: it may not make or drop tables itself.
create function ops.keep_health_log(days integer) returns setof text language plpgsql
    security definer set search_path = pg_catalog, pg_temp as $$
declare
    name text;
    last bigint;
begin
    -- Two agents at once would make the same table.
    perform pg_advisory_xact_lock(hashtext('ops.operator_health_log'));
    for ahead in 0..2 loop
        perform ops.add_health_log_month(
            (date_trunc('month', now() at time zone 'UTC') + make_interval(months => ahead)) at time zone 'UTC');
    end loop;
    for name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'ops.operator_health_log'::regclass
            and c.relname ~ '^operator_health_log_[0-9]{4}_[0-9]{2}$'
            and (to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC'
                < now() - make_interval(days => days)
        order by c.relname
    loop
        execute format('select max(id) from ops.%I', name) into last;
        update ops.operator_health_log_kept set dropped_through = greatest(dropped_through, last);
        execute format('drop table ops.%I', name);
        return next name;
    end loop;
    with gone as (
        delete from ops.operator_health_log_default where at < now() - make_interval(days => days) returning id)
    update ops.operator_health_log_kept
        set dropped_through = greatest(dropped_through, (select max(id) from gone)) where exists (select from gone);
end
$$;
revoke execute on function ops.add_health_log_month(timestamptz), ops.keep_health_log(integer) from public;

select ops.add_health_log_month(at)
    from (select distinct date_trunc('month', at at time zone 'UTC') at time zone 'UTC' as at
          from ops.operator_health_log_before
          union select now() union select now() + interval '1 month') months;
insert into ops.operator_health_log (id, operator_id, previous, state, reason, connector_id, at, recorded_at)
    overriding system value
    select id, operator_id, previous, state, reason, connector_id, at, recorded_at from ops.operator_health_log_before
    order by id;
select setval(pg_get_serial_sequence('ops.operator_health_log', 'id'), last_value, is_called)
    from ops.operator_health_log_before_id_seq;
drop table ops.operator_health_log_before;
