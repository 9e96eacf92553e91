select 'lines of stock that was written off (negative quantity, no price, no cancellation)' as reason, count(*) as rows
from lines
where invoice is not null and not is_sale and not is_cancellation
union all
select 'lines without an invoice number', count(*)
from lines
where invoice is null
