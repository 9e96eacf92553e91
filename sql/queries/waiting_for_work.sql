-- Watermarks: how far each table has read the change log of each source. -1 means never: every row counts as changed.
select
    reader,
    source,
    position
from platform.watermarks
order by reader, source;
