-- repeatable: comments on production, as the data dictionary shows them.
-- They replace those of earlier files, whose text is frozen. When you drop a column, delete its line here.
comment on schema production is 'Typed, clean 3NF model; the last layer with personal data.';

comment on table production.loaded_days is
'One row per feed and day whose staging slice passed its checks. Production reads these slices and no others.';
comment on column production.loaded_days.feed is 'Name of the feed.';
comment on column production.loaded_days.loaded_at is 'Time at which that load was written (UTC).';
comment on column production.loaded_days.rows_in_file is
'Number of rows in the slice, which equals the number of rows in the file.';
comment on column production.loaded_days.load_id is
'Load that passed. Production reads its rows until another load of the day passes.';

comment on table production.identifiers is
'One row per identifier that is not a positive integer, in any row of a slice that passed. Integers are their own keys.';
comment on column production.identifiers.entity is 'What it identifies: a customer, product, transaction (order), item (order line), or return.';
comment on column production.identifiers.identifier is 'Identifier as the shop writes it, trimmed.';
comment on column production.identifiers.key is
'Its key: negative, and derived from the text. Of texts with the same hash, the later ones get the next free keys.';

comment on table production.customers is
'One row per customer, as last exported. Holds personal data, which does not leave this schema.';
comment on column production.customers.customer_id is 'Customer ID: a number of the shop, or the key of its text in production.identifiers.';
comment on column production.customers.email is 'Email address as exported, trimmed; see email_is_valid.';
comment on column production.customers.phone is 'Phone number as exported, trimmed.';
comment on column production.customers.street_address is 'Street and house number.';
comment on column production.customers.state is
'ISO 3166-2 subdivision code without its country prefix; null if the country has none.';
comment on column production.customers.country is 'ISO 3166-1 alpha-2 country code.';
comment on column production.customers.registered_on is 'Date on which the customer registered.';
comment on column production.customers.email_is_valid is
'True if the email address is well formed; null if there is none.';
comment on column production.customers.updated_at is 'Time at which the shop last changed the customer (UTC).';
comment on column production.customers.valid_from is
'First day on which this image is valid: the day of updated_at, but no later than the day of its file.';
comment on column production.customers.partition_date is 'Day of the file that holds this image.';
comment on column production.customers.source_row is 'Row number of this image in its file.';

comment on table production.customer_versions is 'One row per customer and day of change: the last image of that day.';
comment on column production.customer_versions.customer_id is 'Customer ID.';
comment on column production.customer_versions.valid_from is 'First day on which this image is valid.';
comment on column production.customer_versions.email is 'Email address as exported, trimmed.';
comment on column production.customer_versions.phone is 'Phone number as exported, trimmed.';
comment on column production.customer_versions.street_address is 'Street and house number.';
comment on column production.customer_versions.state is
'ISO 3166-2 subdivision code without its country prefix; null if the country has none.';
comment on column production.customer_versions.country is 'ISO 3166-1 alpha-2 country code.';
comment on column production.customer_versions.registered_on is 'Date on which the customer registered.';
comment on column production.customer_versions.updated_at is 'Time at which the shop changed the customer (UTC).';
comment on column production.customer_versions.partition_date is 'Day of the file that holds this image.';
comment on column production.customer_versions.source_row is 'Row number of this image in its file.';

comment on table production.product_categories is 'One row per category and sub-category.';
comment on column production.product_categories.category_id is
'Surrogate key derived from the pair of names; the same on every server.';
comment on column production.product_categories.category is 'Category name; Unknown if the shop gives none.';
comment on column production.product_categories.sub_category is 'Sub-category name; empty if the shop gives none.';

comment on table production.products is 'One row per product, as last exported.';
comment on column production.products.product_id is 'Product ID: a number of the shop, or the key of its text in production.identifiers.';
comment on column production.products.product_name is 'Product name.';
comment on column production.products.category_id is 'Category and sub-category of the product.';
comment on column production.products.brand is 'Brand name.';
comment on column production.products.price is 'List price per unit.';
comment on column production.products.cost is 'Cost per unit to the shop; null if unknown.';
comment on column production.products.stock_quantity is 'Units in stock at the time of the export.';
comment on column production.products.supplier_id is 'Supplier ID assigned by the shop.';
comment on column production.products.updated_at is 'Time at which the shop last changed the product (UTC).';
comment on column production.products.valid_from is
'First day on which this image is valid: the day of updated_at, but no later than the day of its file.';
comment on column production.products.partition_date is 'Day of the file that holds this image.';
comment on column production.products.source_row is 'Row number of this image in its file.';

comment on table production.product_versions is 'One row per product and day of change: the last image of that day.';
comment on column production.product_versions.product_id is 'Product ID.';
comment on column production.product_versions.valid_from is 'First day on which this image is valid.';
comment on column production.product_versions.product_name is 'Product name.';
comment on column production.product_versions.category_id is 'Category and sub-category of the product.';
comment on column production.product_versions.brand is 'Brand name.';
comment on column production.product_versions.price is 'List price per unit.';
comment on column production.product_versions.cost is 'Cost per unit to the shop; null if unknown.';
comment on column production.product_versions.stock_quantity is 'Units in stock at the time of the export.';
comment on column production.product_versions.supplier_id is 'Supplier ID assigned by the shop.';
comment on column production.product_versions.updated_at is 'Time at which the shop changed the product (UTC).';
comment on column production.product_versions.partition_date is 'Day of the file that holds this image.';
comment on column production.product_versions.source_row is 'Row number of this image in its file.';

comment on table production.payment_methods is 'One row per payment method.';
comment on column production.payment_methods.payment_method_id is
'Surrogate key derived from the name; the same on every server.';
comment on column production.payment_methods.payment_method is 'Payment method as named by the shop; Unknown if it gives none.';

comment on table production.transactions is 'One row per order, as last exported.';
comment on column production.transactions.transaction_id is 'Order ID: a number of the shop, or the key of its text in production.identifiers.';
comment on column production.transactions.customer_id is 'Customer who placed the order; null for a guest.';
comment on column production.transactions.transaction_date is 'Business day of the order.';
comment on column production.transactions.transaction_time is 'Time of the order, as the shop records it.';
comment on column production.transactions.payment_method_id is 'Payment method of the order.';
comment on column production.transactions.shipping_address is 'Street and house number of the shipping address.';
comment on column production.transactions.shipping_city is 'City of the shipping address.';
comment on column production.transactions.shipping_state is 'State of the shipping address.';
comment on column production.transactions.total_amount is
'Order total as exported. Revenue is computed from the order lines instead.';
comment on column production.transactions.partition_date is
'Day of the file that holds the current export of the order.';
comment on column production.transactions.source_row is 'Row number of that export in its file.';

comment on table production.transaction_items is 'One row per order line, from the latest export of its order.';
comment on column production.transaction_items.transaction_id is 'Order ID.';
comment on column production.transaction_items.item_id is
'Order line ID: a number of the shop, or the key of its text in production.identifiers.';
comment on column production.transaction_items.product_id is 'Product that was bought.';
comment on column production.transaction_items.quantity is 'Units bought.';
comment on column production.transaction_items.unit_price is 'Price per unit before the discount.';
comment on column production.transaction_items.discount_amount is 'Discount on the order line.';
comment on column production.transaction_items.partition_date is
'Day of the file that holds the current export of the line.';
comment on column production.transaction_items.source_row is 'Row number of that export in its file.';

comment on table production.rejected_rows is
'One row per exported row that production rejects, with all its reasons. A row that waits for a missing parent leaves this table once the parent arrives.';
comment on column production.rejected_rows.feed is 'Name of the feed.';
comment on column production.rejected_rows.source_row is 'Row number in the file.';
comment on column production.rejected_rows.source_file is 'Path of the file, relative to the raw folder.';
comment on column production.rejected_rows.reasons is 'All reasons for the rejection, each as "column: fault".';
comment on column production.rejected_rows.original is 'Fields as exported, keyed by column.';
comment on column production.rejected_rows.transaction_id is 'Order that the row belongs to, if it can be read.';
comment on column production.rejected_rows.missing_customer_id is 'Customer that an otherwise valid order waits for.';
comment on column production.rejected_rows.missing_transaction_id is
'Order that an otherwise valid order line or return waits for.';
comment on column production.rejected_rows.missing_product_id is
'Product that an otherwise valid order line waits for.';
