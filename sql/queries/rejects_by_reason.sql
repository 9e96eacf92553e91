-- Why rows were rejected: number of rows by feed and reason, and the last day of each.
select
    rejected.feed,
    reason.reason,
    count(*) as rejected_rows,
    max(rejected.partition_date) as last_day
from production.rejected_rows as rejected
cross join unnest(rejected.reasons) as reason (reason)
group by rejected.feed, reason.reason
order by rejected_rows desc, rejected.feed, reason.reason;
