-- Disk space by table: estimated row counts, table size, and index size.
select
    schemaname || '.' || relname as table_name,
    n_live_tup as live_rows,
    n_dead_tup as dead_rows,
    pg_size_pretty(pg_table_size(relid)) as table_size,
    pg_size_pretty(pg_indexes_size(relid)) as index_size,
    last_autovacuum,
    greatest(last_analyze, last_autoanalyze) as last_analyzed
from pg_catalog.pg_stat_user_tables
order by pg_total_relation_size(relid) desc;
