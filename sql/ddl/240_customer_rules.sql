-- repeatable: rules about customers, defined once.
create or replace function warehouse.revenue_per_customer(revenue numeric, customers numeric) returns numeric
language sql immutable parallel safe
return round(revenue / nullif(customers, 0), 2);

-- The named groups of customers by recency, frequency and monetary value (RFM), one per cell.
-- The groups are those of Putler's RFM guide (https://www.putler.com/rfm-analysis/), which places a customer by the recency score
-- and by the mean of the other two. Its ranges overlap; here, each cell has one group. Rows: recency score 1 to 5; columns: mean 1
-- to 5, rounded down, so that one large first order does not make a new customer a loyal one.
create or replace function warehouse.rfm_group(
    recency_score integer, frequency_score integer, monetary_score integer
) returns text
language sql immutable parallel safe
return (array[
    ['Hibernating', 'Hibernating', 'At risk', 'At risk', 'Can''t lose them'],
    ['Hibernating', 'Hibernating', 'At risk', 'At risk', 'Can''t lose them'],
    ['About to sleep', 'About to sleep', 'Need attention', 'Loyal customers', 'Loyal customers'],
    ['Promising', 'Potential loyalists', 'Potential loyalists', 'Loyal customers', 'Loyal customers'],
    ['New customers', 'Potential loyalists', 'Potential loyalists', 'Champions', 'Champions']
])[recency_score][(frequency_score + monetary_score) / 2];

comment on function warehouse.revenue_per_customer(numeric, numeric) is
'Total revenue / customers with at least one order: what a customer has brought so far.';
comment on function warehouse.rfm_group(integer, integer, integer) is
'Named group of a customer, from the recency score and the mean of the frequency and monetary scores, rounded down.';
