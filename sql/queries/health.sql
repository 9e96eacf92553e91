-- What the last report says of the database and its disk, what is not healthy first.
select
    metric,
    value,
    unit,
    least,
    most,
    is_healthy,
    description,
    measured_at
from monitoring.database_health
order by is_healthy, metric;
