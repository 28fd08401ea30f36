-- Whoever knows the routing table of this step or a later one gets to the newest by ops.routing_changes. Before it, changes
-- are missing: nobody noted them for the first step, their time was over, or the step is one of a backup that was restored.
alter table ops.sync_state add column changes_from bigint not null default 1;
-- Until now, operators that were switched on or off noted no change.
update ops.sync_state set changes_from = greatest(generation, 1);
