select 'lines of stock that was written off (negative quantity, no price, no cancellation)' as reason, count(*) as rows
from lines
where not is_sale and not is_cancellation
