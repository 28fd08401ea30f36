-- Where in a trace an event came about (W3C Trace Context), for whoever hears of it. Nothing depends on it.
alter table ops.outbox
    add column traceparent text,
    add column tracestate text;
