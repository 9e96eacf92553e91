-- staging: exact text replicas of the four feeds. Empty text is an empty field; null only where the row is malformed.
-- is_plain marks the many rows whose fields all have their plainest form: one pattern over the whole row, once, is
-- several times cheaper than one a field whenever the row is read. Other rows may still be good.

create table if not exists staging.customers (
    customer_id text,
    first_name text,
    last_name text,
    email text,
    phone text,
    date_of_birth text,
    street_address text,
    city text,
    state text,
    postal_code text,
    country text,
    registered_on text,
    updated_at text,
    extra_columns jsonb,
    malformed text,
    partition_date date not null,
    source_file text not null,
    source_row integer not null check (source_row > 0),
    loaded_at timestamptz not null,
    primary key (partition_date, source_row)
);

create index if not exists customers_customer_id_idx on staging.customers (platform.parse_short_id(customer_id));

create table if not exists staging.products (
    product_id text,
    product_name text,
    category text,
    sub_category text,
    brand text,
    price text,
    cost text,
    stock_quantity text,
    supplier_id text,
    updated_at text,
    extra_columns jsonb,
    malformed text,
    partition_date date not null,
    source_file text not null,
    source_row integer not null check (source_row > 0),
    loaded_at timestamptz not null,
    primary key (partition_date, source_row)
);

create index if not exists products_product_id_idx on staging.products (platform.parse_short_id(product_id));

create table if not exists staging.transactions (
    transaction_id text,
    customer_id text,
    transaction_date text,
    transaction_time text,
    payment_method text,
    shipping_address text,
    shipping_city text,
    shipping_state text,
    total_amount text,
    extra_columns jsonb,
    malformed text,
    partition_date date not null,
    source_file text not null,
    source_row integer not null check (source_row > 0),
    loaded_at timestamptz not null,
    is_plain boolean generated always as (
        transaction_id || '|' || customer_id || '|' || transaction_date || '|' || transaction_time || '|' || total_amount
        ~ (
            '^[1-9][0-9]{0,17}[|][1-9][0-9]{0,13}[|]'
            '20[0-9][0-9]-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)[|]'
            '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][|][0-9]{1,10}([.][0-9]{1,2})?$'
        )
    ) stored,
    primary key (partition_date, source_row)
);

create index if not exists transactions_transaction_id_idx on staging.transactions (platform.plain_id(is_plain, transaction_id));

create table if not exists staging.transaction_items (
    item_id text,
    transaction_id text,
    product_id text,
    quantity text,
    unit_price text,
    discount_amount text,
    line_total text,
    extra_columns jsonb,
    malformed text,
    partition_date date not null,
    source_file text not null,
    source_row integer not null check (source_row > 0),
    loaded_at timestamptz not null,
    is_plain boolean generated always as (
        item_id || '|' || transaction_id || '|' || product_id || '|' || quantity || '|' || unit_price || '|'
        || discount_amount || '|' || line_total
        ~ (
            '^[1-9][0-9]{0,17}[|][1-9][0-9]{0,17}[|][1-9][0-9]{0,13}[|][1-9][0-9]{0,8}[|]'
            '[0-9]{1,10}([.][0-9]{1,2})?[|][0-9]{1,10}([.][0-9]{1,2})?[|][0-9]{1,10}([.][0-9]{1,2})?$'
        )
    ) stored,
    primary key (partition_date, source_row)
);

create index if not exists transaction_items_transaction_id_idx on staging.transaction_items (platform.plain_id(is_plain, transaction_id));

comment on table staging.customers is 'Images of customers created or changed on the day, as exported.';
comment on table staging.products is 'Images of products created or changed on the day, as exported.';
comment on table staging.transactions is 'Orders, as exported.';
comment on table staging.transaction_items is 'Order lines, as exported.';

do $$
declare
    target record;
    described jsonb := '{
        "extra_columns": "Columns of the file that the feed does not know, by name.",
        "malformed": "Text of a row that could not be split into the columns of its header; null for a good row.",
        "partition_date": "Business day (UTC) whose file holds the row.",
        "source_file": "Path of the file below the raw folder.",
        "source_row": "Number of the row in its file; the first after the header is 1.",
        "loaded_at": "When the slice was loaded; the same for all its rows, and for no other slice of the feed.",
        "is_plain": "Whether every typed field has its plainest form, so that a cast cannot fail; null for a malformed row."
    }';
begin
    for target in
        select c.table_name, c.column_name
        from information_schema.columns as c
        where c.table_schema = 'staging'
    loop
        execute format(
            'comment on column staging.%I.%I is %L',
            target.table_name,
            target.column_name,
            coalesce(described ->> target.column_name, 'Field ' || target.column_name || ' of the file, exactly as exported.')
        );
    end loop;
end
$$;
