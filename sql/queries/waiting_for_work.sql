-- How far each table has read the changes of each table that it reads. -1 is never: it will take every row for changed.
select
    reader,
    source,
    position
from platform.watermarks
order by reader, source;
