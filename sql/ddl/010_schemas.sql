-- The schemas, one a layer, and the platform's own bookkeeping.
create extension if not exists btree_gist;

create schema if not exists platform;
create schema if not exists staging;
create schema if not exists production;
create schema if not exists warehouse;
create schema if not exists analytics;
create schema if not exists monitoring;

comment on schema platform is 'Bookkeeping of the platform itself: applied DDL, keys to revisit.';
comment on schema staging is 'Exact text replicas of the exported files, one slice a day.';
comment on schema production is 'Typed, clean 3NF model; the last layer with personal data.';
comment on schema warehouse is 'Star schema with SCD2 history, and its aggregates.';
comment on schema analytics is 'Extracts for analysts, also written as CSV files.';
comment on schema monitoring is 'Quality and pipeline reports.';

create table if not exists platform.revisits (
    consumer text not null,
    key bigint not null
);

create index if not exists revisits_consumer_idx on platform.revisits (consumer);

comment on table platform.revisits is
'Keys that a table must recompute although the day that it loads does not name them: late and corrected rows.';
comment on column platform.revisits.consumer is 'The table that recomputes, as schema.table.';
comment on column platform.revisits.key is 'Its key: an order, a customer, a product, or a day since 2000-01-01.';
