-- Latest health report of the database and its disk, unhealthy metrics first.
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
