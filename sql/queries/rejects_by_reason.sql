-- Why rows are not in production: how many rows of each feed, by reason, and when it was last seen.
select
    rejected.feed,
    reason.reason,
    count(*) as rejected_rows,
    max(rejected.partition_date) as last_day
from production.rejected_rows as rejected
cross join unnest(rejected.reasons) as reason (reason)
group by rejected.feed, reason.reason
order by rejected_rows desc, rejected.feed, reason.reason;
