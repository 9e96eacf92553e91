-- Keys that a table must recompute on its next run, because something late or corrected concerns them.
select
    consumer,
    count(distinct key) as keys
from platform.revisits
group by consumer
order by consumer;
