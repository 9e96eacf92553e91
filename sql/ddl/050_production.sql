-- production: typed, trimmed, deduplicated, 3NF. partition_date and source_row say which exported row a row is.
create table if not exists production.loaded_days (
    feed text not null check (feed in ('customers', 'products', 'transactions', 'transaction_items')),
    partition_date date not null,
    loaded_at timestamptz not null,
    rows_in_file integer not null check (rows_in_file > 0),
    primary key (feed, partition_date),
    unique (feed, loaded_at)
);

comment on table production.loaded_days is
'One row a feed a day whose staging slice passed its checks. Production reads these slices and no others.';
comment on column production.loaded_days.feed is 'The feed.';
comment on column production.loaded_days.partition_date is 'Business day (UTC) of the slice.';
comment on column production.loaded_days.loaded_at is 'Which load of the slice passed; a later load must pass again.';
comment on column production.loaded_days.rows_in_file is 'Rows of the slice, which is all rows of the file.';

create table if not exists production.customers (
    customer_id bigint primary key check (customer_id > 0),
    first_name text,
    last_name text,
    email text,
    email_is_valid boolean generated always as (
        email ~ '^[^@[:space:]]{1,64}@[^@[:space:].]+([.][^@[:space:].]+)+$'
    ) stored,
    phone text,
    date_of_birth date,
    street_address text,
    city text,
    state text check (state ~ '^[A-Z0-9]{1,3}$'),
    postal_code text,
    country text not null check (country ~ '^[A-Z]{2}$'),
    registered_on date not null,
    updated_at timestamptz not null,
    valid_from date not null,
    partition_date date not null,
    source_row integer not null
);

create index if not exists customers_partition_date_idx on production.customers (partition_date);

comment on table production.customers is 'Each customer as last exported. Personal data: stays in this schema.';
comment on column production.customers.customer_id is 'The shop''s number of the customer.';
comment on column production.customers.first_name is 'First name.';
comment on column production.customers.last_name is 'Last name.';
comment on column production.customers.email is 'E-mail address as exported, trimmed; see email_is_valid.';
comment on column production.customers.email_is_valid is 'Whether the e-mail address has the shape of one; null without one.';
comment on column production.customers.phone is 'Telephone number as exported, trimmed.';
comment on column production.customers.date_of_birth is 'Date of birth.';
comment on column production.customers.street_address is 'Street and number.';
comment on column production.customers.city is 'City.';
comment on column production.customers.state is 'ISO 3166-2 subdivision without its country; null where a country has none.';
comment on column production.customers.postal_code is 'Postal code.';
comment on column production.customers.country is 'ISO 3166-1 alpha-2 country.';
comment on column production.customers.registered_on is 'Day on which the customer registered.';
comment on column production.customers.updated_at is 'When the shop last changed the customer.';
comment on column production.customers.valid_from is 'Day from which this image holds: that of updated_at, at most that of its file.';
comment on column production.customers.partition_date is 'Day of the file that holds the image.';
comment on column production.customers.source_row is 'Row of the image in its file.';

create table if not exists production.customer_versions (
    customer_id bigint not null references production.customers (customer_id) on delete cascade,
    valid_from date not null,
    first_name text,
    last_name text,
    email text,
    phone text,
    date_of_birth date,
    street_address text,
    city text,
    state text check (state ~ '^[A-Z0-9]{1,3}$'),
    postal_code text,
    country text not null check (country ~ '^[A-Z]{2}$'),
    registered_on date not null,
    updated_at timestamptz not null,
    partition_date date not null,
    source_row integer not null,
    primary key (customer_id, valid_from)
);

create index if not exists customer_versions_partition_date_idx on production.customer_versions (partition_date);

comment on table production.customer_versions is 'What a customer was from which day on: the last image of each day.';
comment on column production.customer_versions.customer_id is 'The customer.';
comment on column production.customer_versions.valid_from is 'Day from which the image holds.';
comment on column production.customer_versions.first_name is 'First name.';
comment on column production.customer_versions.last_name is 'Last name.';
comment on column production.customer_versions.email is 'E-mail address as exported, trimmed.';
comment on column production.customer_versions.phone is 'Telephone number as exported, trimmed.';
comment on column production.customer_versions.date_of_birth is 'Date of birth.';
comment on column production.customer_versions.street_address is 'Street and number.';
comment on column production.customer_versions.city is 'City.';
comment on column production.customer_versions.state is 'ISO 3166-2 subdivision without its country.';
comment on column production.customer_versions.postal_code is 'Postal code.';
comment on column production.customer_versions.country is 'ISO 3166-1 alpha-2 country.';
comment on column production.customer_versions.registered_on is 'Day on which the customer registered.';
comment on column production.customer_versions.updated_at is 'When the shop changed the customer.';
comment on column production.customer_versions.partition_date is 'Day of the file that holds the image.';
comment on column production.customer_versions.source_row is 'Row of the image in its file.';

create table if not exists production.product_categories (
    category_id bigint primary key,
    category text not null,
    sub_category text not null,
    unique (category, sub_category)
);

comment on table production.product_categories is 'Categories and their sub-categories.';
comment on column production.product_categories.category_id is 'Key of the pair, the same on every server.';
comment on column production.product_categories.category is 'Category.';
comment on column production.product_categories.sub_category is 'Sub-category; empty where the shop gives none.';

create table if not exists production.products (
    product_id bigint primary key check (product_id > 0),
    product_name text not null,
    category_id bigint not null references production.product_categories (category_id),
    brand text,
    price numeric(12, 2) not null check (price >= 0),
    cost numeric(12, 2) not null check (cost >= 0),
    stock_quantity integer,
    supplier_id bigint,
    updated_at timestamptz not null,
    valid_from date not null,
    partition_date date not null,
    source_row integer not null
);

create index if not exists products_category_id_idx on production.products (category_id);
create index if not exists products_partition_date_idx on production.products (partition_date);

comment on table production.products is 'Each product as last exported.';
comment on column production.products.product_id is 'The shop''s number of the product.';
comment on column production.products.product_name is 'Name.';
comment on column production.products.category_id is 'Category and sub-category.';
comment on column production.products.brand is 'Brand.';
comment on column production.products.price is 'List price of one piece.';
comment on column production.products.cost is 'What one piece costs the shop.';
comment on column production.products.stock_quantity is 'Pieces in stock when exported.';
comment on column production.products.supplier_id is 'The shop''s number of the supplier.';
comment on column production.products.updated_at is 'When the shop last changed the product.';
comment on column production.products.valid_from is 'Day from which this image holds: that of updated_at, at most that of its file.';
comment on column production.products.partition_date is 'Day of the file that holds the image.';
comment on column production.products.source_row is 'Row of the image in its file.';

create table if not exists production.product_versions (
    product_id bigint not null references production.products (product_id) on delete cascade,
    valid_from date not null,
    product_name text not null,
    category_id bigint not null references production.product_categories (category_id),
    brand text,
    price numeric(12, 2) not null check (price >= 0),
    cost numeric(12, 2) not null check (cost >= 0),
    stock_quantity integer,
    supplier_id bigint,
    updated_at timestamptz not null,
    partition_date date not null,
    source_row integer not null,
    primary key (product_id, valid_from)
);

create index if not exists product_versions_category_id_idx on production.product_versions (category_id);
create index if not exists product_versions_partition_date_idx on production.product_versions (partition_date);

comment on table production.product_versions is 'What a product was from which day on: the last image of each day.';
comment on column production.product_versions.product_id is 'The product.';
comment on column production.product_versions.valid_from is 'Day from which the image holds.';
comment on column production.product_versions.product_name is 'Name.';
comment on column production.product_versions.category_id is 'Category and sub-category.';
comment on column production.product_versions.brand is 'Brand.';
comment on column production.product_versions.price is 'List price of one piece.';
comment on column production.product_versions.cost is 'What one piece costs the shop.';
comment on column production.product_versions.stock_quantity is 'Pieces in stock when exported.';
comment on column production.product_versions.supplier_id is 'The shop''s number of the supplier.';
comment on column production.product_versions.updated_at is 'When the shop changed the product.';
comment on column production.product_versions.partition_date is 'Day of the file that holds the image.';
comment on column production.product_versions.source_row is 'Row of the image in its file.';

create table if not exists production.payment_methods (
    payment_method_id bigint primary key,
    payment_method text not null unique
);

comment on table production.payment_methods is 'Ways to pay.';
comment on column production.payment_methods.payment_method_id is 'Key of the name, the same on every server.';
comment on column production.payment_methods.payment_method is 'Name, as the shop writes it.';

create table if not exists production.transactions (
    transaction_id bigint primary key check (transaction_id > 0),
    customer_id bigint not null references production.customers (customer_id) on delete cascade,
    transaction_date date not null check (transaction_date between '2000-01-01' and '2099-12-31'),
    transaction_time time,
    payment_method_id bigint not null references production.payment_methods (payment_method_id) on delete cascade,
    shipping_address text,
    shipping_city text,
    shipping_state text,
    total_amount numeric(12, 2) not null check (total_amount >= 0),
    partition_date date not null,
    source_row integer not null,
    check (transaction_date <= partition_date)
);

create index if not exists transactions_customer_id_idx on production.transactions (customer_id, transaction_date);
create index if not exists transactions_payment_method_id_idx on production.transactions (payment_method_id);
create index if not exists transactions_partition_date_idx on production.transactions (partition_date);

comment on table production.transactions is 'Each order as last exported.';
comment on column production.transactions.transaction_id is 'The shop''s number of the order.';
comment on column production.transactions.customer_id is 'Who bought.';
comment on column production.transactions.transaction_date is 'Day of the sale (UTC).';
comment on column production.transactions.transaction_time is 'Time of the sale (UTC).';
comment on column production.transactions.payment_method_id is 'How it was paid.';
comment on column production.transactions.shipping_address is 'Street that it was shipped to.';
comment on column production.transactions.shipping_city is 'City that it was shipped to.';
comment on column production.transactions.shipping_state is 'State that it was shipped to.';
comment on column production.transactions.total_amount is 'Total that the shop exported; revenue is computed from the lines.';
comment on column production.transactions.partition_date is 'Day of the file that holds the order as it stands.';
comment on column production.transactions.source_row is 'Row of the order in its file.';

create table if not exists production.transaction_items (
    transaction_id bigint not null references production.transactions (transaction_id) on delete cascade,
    item_id bigint not null check (item_id > 0),
    product_id bigint not null references production.products (product_id) on delete cascade,
    quantity integer not null check (quantity > 0),
    unit_price numeric(12, 2) not null check (unit_price >= 0),
    discount_amount numeric(12, 2) not null check (discount_amount >= 0),
    line_total numeric(12, 2) not null check (line_total >= 0),
    partition_date date not null,
    source_row integer not null,
    primary key (transaction_id, item_id),
    check (line_total = quantity * unit_price - discount_amount)
);

create index if not exists transaction_items_product_id_idx on production.transaction_items (product_id);
create index if not exists transaction_items_partition_date_idx on production.transaction_items (partition_date);

comment on table production.transaction_items is 'Each order line as last exported.';
comment on column production.transaction_items.transaction_id is 'The order.';
comment on column production.transaction_items.item_id is 'The shop''s number of the line.';
comment on column production.transaction_items.product_id is 'What was bought.';
comment on column production.transaction_items.quantity is 'Pieces.';
comment on column production.transaction_items.unit_price is 'Price of one piece before the discount.';
comment on column production.transaction_items.discount_amount is 'Discount on the line.';
comment on column production.transaction_items.line_total is 'quantity * unit_price - discount_amount.';
comment on column production.transaction_items.partition_date is 'Day of the file that holds the line as it stands.';
comment on column production.transaction_items.source_row is 'Row of the line in its file.';

create table if not exists production.rejected_rows (
    feed text not null check (feed in ('customers', 'products', 'transactions', 'transaction_items')),
    partition_date date not null,
    source_row integer not null,
    source_file text not null,
    reasons text[] not null check (cardinality(reasons) > 0),
    original jsonb not null,
    transaction_id bigint,
    missing_customer_id bigint,
    missing_transaction_id bigint,
    missing_product_id bigint,
    primary key (feed, partition_date, source_row)
);

create index if not exists rejected_rows_partition_date_idx on production.rejected_rows (partition_date);
create index if not exists rejected_rows_missing_customer_id_idx
on production.rejected_rows (missing_customer_id) where missing_customer_id is not null;
create index if not exists rejected_rows_missing_transaction_id_idx
on production.rejected_rows (missing_transaction_id) where missing_transaction_id is not null;
create index if not exists rejected_rows_missing_product_id_idx
on production.rejected_rows (missing_product_id) where missing_product_id is not null;

comment on table production.rejected_rows is
'Each exported row that production does not take, with all its reasons. A row that waits for a parent leaves by itself.';
comment on column production.rejected_rows.feed is 'The feed.';
comment on column production.rejected_rows.partition_date is 'Day of the file.';
comment on column production.rejected_rows.source_row is 'Row in the file.';
comment on column production.rejected_rows.source_file is 'Path of the file below the raw folder.';
comment on column production.rejected_rows.reasons is 'Every reason, as column: fault.';
comment on column production.rejected_rows.original is 'The fields as exported, by column.';
comment on column production.rejected_rows.transaction_id is 'The order that the row belongs to, where it can be read.';
comment on column production.rejected_rows.missing_customer_id is 'The customer that an otherwise good order waits for.';
comment on column production.rejected_rows.missing_transaction_id is 'The order that an otherwise good line waits for.';
comment on column production.rejected_rows.missing_product_id is 'The product that an otherwise good line waits for.';
