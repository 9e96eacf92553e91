-- repeatable: comments on platform, change_log and staging, as the data dictionary shows them.
-- They replace those of earlier files, whose text is frozen. When you drop a column, delete its line here.
comment on schema platform is 'Platform bookkeeping: applied DDL, slices, watermarks, raw files and check results.';
comment on schema change_log is 'One change log per table: changes that at least one reader has not read yet.';
comment on schema staging is 'Exact text replicas of the exported files, one slice per day.';

comment on table staging.customers is
'One row per customer created or changed on the day: the full record, exactly as exported.';
comment on column staging.customers.extra_columns is
'Columns of the file that the feed does not define, keyed by name; null if there are none.';
comment on column staging.customers.malformed is
'Raw text of a row that could not be split into the columns of the header; null for a well-formed row.';
comment on column staging.customers.partition_date is 'Business day of the file.';
comment on column staging.customers.source_file is 'Path of the file, relative to the raw folder.';
comment on column staging.customers.source_row is 'Row number in the file; the first row after the header is 1.';
comment on column staging.customers.loaded_at is 'Time at which the row was loaded (UTC).';
comment on column staging.customers.load_id is
'Load that brought the row; unique across feeds and days. See platform.slices.';
comment on column staging.customers.customer_bucket is
'Key of customer_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';

comment on table staging.products is
'One row per product created or changed on the day: the full record, exactly as exported.';
comment on column staging.products.extra_columns is
'Columns of the file that the feed does not define, keyed by name; null if there are none. The optional column `currency` is among them.';
comment on column staging.products.malformed is
'Raw text of a row that could not be split into the columns of the header; null for a well-formed row.';
comment on column staging.products.partition_date is 'Business day of the file.';
comment on column staging.products.source_file is 'Path of the file, relative to the raw folder.';
comment on column staging.products.source_row is 'Row number in the file; the first row after the header is 1.';
comment on column staging.products.loaded_at is 'Time at which the row was loaded (UTC).';
comment on column staging.products.load_id is
'Load that brought the row; unique across feeds and days. See platform.slices.';
comment on column staging.products.product_bucket is
'Key of product_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';

comment on table staging.transactions is 'One row per exported order, exactly as exported.';
comment on column staging.transactions.extra_columns is
'Columns of the file that the feed does not define, keyed by name; null if there are none. The optional column `currency` is among them.';
comment on column staging.transactions.malformed is
'Raw text of a row that could not be split into the columns of the header; null for a well-formed row.';
comment on column staging.transactions.partition_date is 'Business day of the file.';
comment on column staging.transactions.source_file is 'Path of the file, relative to the raw folder.';
comment on column staging.transactions.source_row is 'Row number in the file; the first row after the header is 1.';
comment on column staging.transactions.loaded_at is 'Time at which the row was loaded (UTC).';
comment on column staging.transactions.load_id is
'Load that brought the row; unique across feeds and days. See platform.slices.';
comment on column staging.transactions.transaction_bucket is
'Key of transaction_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.transactions.customer_bucket is
'Key of customer_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.transactions.is_plain is
'True if the date, the time, and the amount are in their simplest form, so that a cast cannot fail; null for a malformed row.';

comment on table staging.transaction_items is 'One row per exported order line, exactly as exported.';
comment on column staging.transaction_items.extra_columns is
'Columns of the file that the feed does not define, keyed by name; null if there are none.';
comment on column staging.transaction_items.malformed is
'Raw text of a row that could not be split into the columns of the header; null for a well-formed row.';
comment on column staging.transaction_items.partition_date is 'Business day of the file.';
comment on column staging.transaction_items.source_file is 'Path of the file, relative to the raw folder.';
comment on column staging.transaction_items.source_row is
'Row number in the file; the first row after the header is 1.';
comment on column staging.transaction_items.loaded_at is 'Time at which the row was loaded (UTC).';
comment on column staging.transaction_items.load_id is
'Load that brought the row; unique across feeds and days. See platform.slices.';
comment on column staging.transaction_items.item_bucket is
'Key of item_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.transaction_items.transaction_bucket is
'Key of transaction_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.transaction_items.product_bucket is
'Key of product_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.transaction_items.is_plain is
'True if the quantity and all amounts are in their simplest form, so that a cast cannot fail; null for a malformed row.';
comment on column staging.returns.is_plain is
'True if the day, the quantity and the refund are in their simplest form, so that a cast cannot fail; null for a malformed row.';

comment on table staging.returns is 'One row per exported return, exactly as exported.';
comment on column staging.returns.return_id is 'Field return_id of the file, exactly as exported.';
comment on column staging.returns.transaction_id is 'Field transaction_id of the file, exactly as exported.';
comment on column staging.returns.item_id is 'Field item_id of the file, exactly as exported.';
comment on column staging.returns.returned_on is 'Field returned_on of the file, exactly as exported.';
comment on column staging.returns.quantity is 'Field quantity of the file, exactly as exported.';
comment on column staging.returns.refund_amount is 'Field refund_amount of the file, exactly as exported.';
comment on column staging.returns.reason is 'Field reason of the file, exactly as exported.';
comment on column staging.returns.extra_columns is
'Columns of the file that the feed does not define, keyed by name; null if there are none.';
comment on column staging.returns.malformed is
'Raw text of a row that could not be split into the columns of the header; null for a well-formed row.';
comment on column staging.returns.partition_date is 'Business day of the file.';
comment on column staging.returns.source_file is 'Path of the file, relative to the raw folder.';
comment on column staging.returns.source_row is 'Row number in the file; the first row after the header is 1.';
comment on column staging.returns.loaded_at is 'Time at which the row was loaded (UTC).';
comment on column staging.returns.load_id is 'Load that brought the row; unique across feeds and days. See platform.slices.';
comment on column staging.returns.return_bucket is
'Key of return_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.returns.transaction_bucket is
'Key of transaction_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';
comment on column staging.returns.item_bucket is
'Key of item_id if it is a number; otherwise the first of the 16 keys of its hash. Null if blank or longer than 200 characters.';

comment on table platform.slices is
'One row per table and day: the latest load of the slice, whether it passed its checks or not.';
comment on column platform.slices.table_name is 'Name of the table, as schema.table.';
comment on column platform.slices.slice is 'Day of the slice.';
comment on column platform.slices.load_id is 'Load, as in the rows of the table; null for an empty slice.';
comment on column platform.slices.row_count is 'Number of rows in the load.';
comment on column platform.slices.written_at is 'Time at which the load was written (UTC).';

comment on table platform.superseded_loads is
'One row per earlier load whose rows are still stored beside the latest load, because a reader still needs them.';
comment on column platform.superseded_loads.table_name is 'Name of the table, as schema.table.';
comment on column platform.superseded_loads.slice is 'Day of the slice.';
comment on column platform.superseded_loads.load_id is 'Load, as in the rows of the table.';

comment on table platform.watermarks is
'One row per reader and source: the last entry of the source''s change log that the reader has read. A reader without a row treats every row of the source as changed.';
comment on column platform.watermarks.reader is 'Table that reads, as schema.table.';
comment on column platform.watermarks.source is 'Table whose change log is read, as schema.table.';
comment on column platform.watermarks.position is 'Position of the last entry that was read; -1 before the first read.';

comment on table platform.expected_reads is
'One row per reader and source, as the SQL files say. A table that has never read a source has no watermark, so that only this table shows the gap.';
comment on column platform.expected_reads.reader is 'Table that reads, as schema.table.';
comment on column platform.expected_reads.source is 'Table whose change log is read, as schema.table.';

comment on table platform.first_day is
'At most one row: the first day that must be loaded. Empty if the landed files decide.';
comment on column platform.first_day.first_day is 'First day that must be loaded.';

comment on table platform.check_results is
'Results of each check: the latest over all days, the latest over some days, and every failure over days that have not been checked again.';
comment on column platform.check_results.table_name is 'Asset that was checked, as schema.table.';
comment on column platform.check_results.check_name is 'Name of the check.';
comment on column platform.check_results.severity is 'ERROR stops downstream assets; WARN does not.';
comment on column platform.check_results.days is 'Days that were tested; unbounded for a check of every possible day.';
comment on column platform.check_results.is_whole is 'True if these were all days that existed at the time.';
comment on column platform.check_results.passed is 'True if the check passed.';
comment on column platform.check_results.rows_tested is 'Number of rows, keys or days tested.';
comment on column platform.check_results.violations is 'Number of violations, added up over the rules.';
comment on column platform.check_results.description is 'Finding in one sentence.';
comment on column platform.check_results.checked_at is 'Time of the evaluation (UTC).';

comment on table platform.raw_files is
'One row per feed and day: the file that the source delivered last, whether it was written to the raw folder or not.';
comment on column platform.raw_files.feed is 'Name of the feed.';
comment on column platform.raw_files.partition_date is 'Business day of the file.';
comment on column platform.raw_files.sha256 is 'SHA-256 of the content, in hexadecimal.';
comment on column platform.raw_files.previous_sha256 is
'SHA-256 of the previous content. A run that dies leaves either version in the raw folder.';
comment on column platform.raw_files.bytes is 'Size in bytes.';
comment on column platform.raw_files.modified_ns is
'Modification time of the landed file, in nanoseconds since 1970; 0 for the synthetic shop.';

comment on table platform.refused_files is 'One row per feed and day whose latest file was refused.';
comment on column platform.refused_files.feed is 'Name of the feed.';
comment on column platform.refused_files.partition_date is 'Business day of the file.';

comment on table platform.applied_ddl is 'One row per file of sql/ddl that was applied to this database.';
comment on column platform.applied_ddl.file is 'Name of the file.';
comment on column platform.applied_ddl.sha256 is 'SHA-256 of the file when it was applied.';
comment on column platform.applied_ddl.applied_at is 'Time at which it was last applied (UTC).';
