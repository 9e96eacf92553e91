-- The days that are missing. One that is there but wrong is found by verify, and mended by a run over all days.
select day::date as calendar_date
from generate_series(timestamp '2000-01-01', timestamp '2099-12-31', interval '1 day') as days (day)
except
select calendar_date
from warehouse.dim_date
