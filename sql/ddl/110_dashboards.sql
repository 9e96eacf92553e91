-- repeatable: what dashboards read besides the tables. Views only; the tables that they need stand in earlier files.
create or replace view warehouse.customer_profile as
with us_states (state, state_name, region) as (
    values
    ('AL', 'Alabama', 'South'),
    ('AK', 'Alaska', 'West'),
    ('AZ', 'Arizona', 'West'),
    ('AR', 'Arkansas', 'South'),
    ('CA', 'California', 'West'),
    ('CO', 'Colorado', 'West'),
    ('CT', 'Connecticut', 'Northeast'),
    ('DC', 'District of Columbia', 'South'),
    ('DE', 'Delaware', 'South'),
    ('FL', 'Florida', 'South'),
    ('GA', 'Georgia', 'South'),
    ('HI', 'Hawaii', 'West'),
    ('IA', 'Iowa', 'Midwest'),
    ('ID', 'Idaho', 'West'),
    ('IL', 'Illinois', 'Midwest'),
    ('IN', 'Indiana', 'Midwest'),
    ('KS', 'Kansas', 'Midwest'),
    ('KY', 'Kentucky', 'South'),
    ('LA', 'Louisiana', 'South'),
    ('MA', 'Massachusetts', 'Northeast'),
    ('MD', 'Maryland', 'South'),
    ('ME', 'Maine', 'Northeast'),
    ('MI', 'Michigan', 'Midwest'),
    ('MN', 'Minnesota', 'Midwest'),
    ('MO', 'Missouri', 'Midwest'),
    ('MS', 'Mississippi', 'South'),
    ('MT', 'Montana', 'West'),
    ('NC', 'North Carolina', 'South'),
    ('ND', 'North Dakota', 'Midwest'),
    ('NE', 'Nebraska', 'Midwest'),
    ('NH', 'New Hampshire', 'Northeast'),
    ('NJ', 'New Jersey', 'Northeast'),
    ('NM', 'New Mexico', 'West'),
    ('NV', 'Nevada', 'West'),
    ('NY', 'New York', 'Northeast'),
    ('OH', 'Ohio', 'Midwest'),
    ('OK', 'Oklahoma', 'South'),
    ('OR', 'Oregon', 'West'),
    ('PA', 'Pennsylvania', 'Northeast'),
    ('RI', 'Rhode Island', 'Northeast'),
    ('SC', 'South Carolina', 'South'),
    ('SD', 'South Dakota', 'Midwest'),
    ('TN', 'Tennessee', 'South'),
    ('TX', 'Texas', 'South'),
    ('UT', 'Utah', 'West'),
    ('VA', 'Virginia', 'South'),
    ('VT', 'Vermont', 'Northeast'),
    ('WA', 'Washington', 'West'),
    ('WI', 'Wisconsin', 'Midwest'),
    ('WV', 'West Virginia', 'South'),
    ('WY', 'Wyoming', 'West')
)

select
    versions.customer_key,
    versions.customer_id,
    versions.country || '-' || versions.state as state_code,
    case
        when versions.customer_key = 0 then 'Unknown'
        when versions.state = 'Unknown' then 'Unknown (' || versions.country || ')'
        else coalesce(us_states.state_name, versions.country || '-' || versions.state)
    end as state_name,
    case when versions.customer_key = 0 then 'Unknown' else coalesce(us_states.region, versions.country) end as region,
    case when versions.customer_key = 0 then 'Guest' else latest.segment end as current_segment,
    versions.customer_code
from warehouse.dim_customer as versions
inner join warehouse.dim_customer as latest on versions.customer_id = latest.customer_id and latest.is_current
left join us_states on versions.country = 'US' and versions.state = us_states.state;

comment on view warehouse.customer_profile is
'One row per version of a customer, for the dashboards: its state and region, and the current segment of the customer. Key 0: guests.';
comment on column warehouse.customer_profile.customer_key is 'Surrogate key of the version, as in dim_customer.';
comment on column warehouse.customer_profile.customer_id is 'Key of the customer, as in dim_customer.';
comment on column warehouse.customer_profile.customer_code is 'Customer ID, as the shop writes it.';
comment on column warehouse.customer_profile.state_code is 'State of the version as COUNTRY-STATE (ISO 3166-2).';
comment on column warehouse.customer_profile.state_name is 'Name of the state in the USA; its code elsewhere; Unknown (COUNTRY) if the shop gives none.';
comment on column warehouse.customer_profile.region is 'Census region in the USA; the country elsewhere.';
comment on column warehouse.customer_profile.current_segment is 'Current segment of the customer, whatever the version; Guest for orders without a customer.';

create or replace view warehouse.order_codes as
select
    key,
    identifier as code
from production.identifiers
where entity = 'transaction';

comment on view warehouse.order_codes is
'Order IDs that are not positive integers, for the dashboards: the key of each in fact_sales, and its text.';
comment on column warehouse.order_codes.key is 'Key of the order, as in fact_sales; negative.';
comment on column warehouse.order_codes.code is 'Order ID, as the shop writes it.';

create or replace view monitoring.rejected_rows_by_reason as
select
    rejected.feed,
    reason.reason,
    count(*) as row_count,
    min(rejected.partition_date) as first_day,
    max(rejected.partition_date) as last_day
from production.rejected_rows as rejected
cross join unnest(rejected.reasons) as reason (reason)
group by rejected.feed, reason.reason;

comment on view monitoring.rejected_rows_by_reason is
'Number of rejected rows per feed and reason; a row with two reasons counts under both. Counts only, no values.';
comment on column monitoring.rejected_rows_by_reason.feed is 'Name of the feed.';
comment on column monitoring.rejected_rows_by_reason.reason is 'Reason for the rejection, as "column: fault".';
comment on column monitoring.rejected_rows_by_reason.row_count is 'Number of rows with this reason.';
comment on column monitoring.rejected_rows_by_reason.first_day is 'First day with such a row.';
comment on column monitoring.rejected_rows_by_reason.last_day is 'Last day with such a row.';

create or replace view monitoring.rejected_rows_by_feed as
select
    feed,
    count(*) as row_count
from production.rejected_rows
group by feed;

comment on view monitoring.rejected_rows_by_feed is
'Number of rejected rows per feed. Counts only, no values.';
comment on column monitoring.rejected_rows_by_feed.feed is 'Name of the feed.';
comment on column monitoring.rejected_rows_by_feed.row_count is 'Number of rows, each counted once.';

grant select on all tables in schema warehouse, monitoring to reader;
