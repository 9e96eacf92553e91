-- repeatable: from hostile text to typed values. Each function gives null for what it does not accept. A length beside a pattern
-- costs a tenth of a repeat count in it.
-- The characters are BLANKS of ecommerce_platform/feeds/columns.py: a no-break space is blank here, there and in every locale.
create or replace function platform.clean(value text) returns text
language sql immutable parallel safe
return nullif(
    btrim(
        value,
        e'\t\n\u000b\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u180e\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
        '\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff'
    ),
    ''
);

create or replace function platform.parse_number(value text) returns bigint
language sql immutable parallel safe
return case
    when platform.clean(value) ~ '^[1-9][0-9]*$' and octet_length(platform.clean(value)) <= 18 then platform.clean(value)::bigint
end;

-- Identifiers are text. A number is its own key; every other text has a negative key, made from its hash. 16 keys belong to a
-- hash, its bucket, so that texts with the same hash still have keys of their own: see production.identifiers. The bucket of
-- an identifier, which the functions below give, is the first of them. Staging stores it (057_staging.sql): a change of what a
-- function gives needs a file that computes it again. A test puts another hash in the place of this one.
create or replace function platform.text_hash(value text) returns bigint
language sql immutable parallel safe
return ('x' || substr(md5(value), 1, 14))::bit(56)::bigint;

create or replace function platform.parse_id(value text) returns bigint
language sql immutable parallel safe
return case
    when value ~ '^[1-9][0-9]*$' and octet_length(value) <= 18 then value::bigint
    when platform.clean(value) ~ '^[1-9][0-9]*$' and octet_length(platform.clean(value)) <= 18 then platform.clean(value)::bigint
    when length(platform.clean(value)) <= 200 then -16 - platform.text_hash(platform.clean(value)) * 16
end;

-- Customers and products: short enough for warehouse.version_key.
create or replace function platform.parse_short_id(value text) returns bigint
language sql immutable parallel safe
return case
    when value ~ '^[1-9][0-9]*$' and octet_length(value) <= 14 then value::bigint
    when platform.clean(value) ~ '^[1-9][0-9]*$' and octet_length(platform.clean(value)) <= 14 then platform.clean(value)::bigint
    when length(platform.clean(value)) <= 200 then -16 - (platform.text_hash(platform.clean(value)) >> 14) * 16
end;

-- The same for a row whose identifiers are known to be numbers. Only indexes of earlier versions read it.
create or replace function platform.plain_id(is_plain boolean, value text) returns bigint
language sql immutable parallel safe
return case when is_plain then value::bigint else platform.parse_id(value) end;

create or replace function platform.bucket(key bigint) returns bigint
language sql immutable parallel safe
return case when key < 0 then key & -16 else key end;

-- a = b, which the planner takes for true of half of the rows. Beside a comparison of buckets it hardly ever says no, but the
-- planner would multiply the two, and expect next to no rows.
create or replace function platform.is_same_key(a bigint, b bigint) returns boolean
language sql immutable parallel safe
return coalesce(a = b, false);

create or replace function platform.parse_integer(value text) returns integer
language sql immutable parallel safe
return case
    when platform.clean(value) ~ '^-?[0-9]+$' and octet_length(ltrim(platform.clean(value), '-')) <= 9
        then platform.clean(value)::integer
end;

create or replace function platform.parse_money(value text) returns numeric
language sql immutable parallel safe
return case
    when
        platform.clean(value) ~ '^-?[0-9]+([.][0-9][0-9]?)?$'
        and octet_length(split_part(ltrim(platform.clean(value), '-'), '.', 1)) <= 10
        then platform.clean(value)::numeric(12, 2)
end;

-- The whole calendar of 1900 to 2099 in one pattern, because a cast of 2024-02-30 would end the statement.
create or replace function platform.is_date(value text) returns boolean
language sql immutable parallel safe
return value ~ (
    '^(19|20)[0-9][0-9]-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)'
    '|02-(0[1-9]|1[0-9]|2[0-8]))$|^((19|20)(0[48]|[2468][048]|[13579][26])|2000)-02-29$'
);

create or replace function platform.parse_date(value text) returns date
language sql immutable parallel safe
return case
    when platform.is_date(platform.clean(value))
        then make_date(
            substr(platform.clean(value), 1, 4)::integer,
            substr(platform.clean(value), 6, 2)::integer,
            substr(platform.clean(value), 9, 2)::integer
        )
end;

create or replace function platform.parse_time(value text) returns time
language sql immutable parallel safe
return case
    when platform.clean(value) ~ '^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$'
        then make_time(
            substr(platform.clean(value), 1, 2)::integer,
            substr(platform.clean(value), 4, 2)::integer,
            coalesce(nullif(substr(platform.clean(value), 7, 2), ''), '0')::double precision
        )
end;

-- A timestamp without an offset is taken as UTC.
create or replace function platform.parse_timestamp(value text) returns timestamptz
language sql stable parallel safe
return case
    when
        platform.is_date(substr(platform.clean(value), 1, 10))
        and substr(platform.clean(value), 11)
        ~ '^[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?$'
        then (
            platform.clean(value)
            || case when platform.clean(value) ~ '(Z|[+-][0-9]{2}:?[0-9]{2})$' then '' else 'Z' end
        )::timestamptz
    when platform.is_date(platform.clean(value)) then (platform.clean(value) || 'T00:00:00Z')::timestamptz
end;

-- An integer below 2^52 that is the same for the same text on every server, and exact in a spreadsheet.
create or replace function platform.key_of(value text) returns bigint
language sql immutable parallel safe
return ('x' || substr(md5(value), 1, 13))::bit(52)::bigint;

comment on function platform.clean(text) is 'The text without blanks around it, including those of Unicode; null if nothing is left.';
comment on function platform.parse_number(text) is 'A positive integer of at most 18 digits without leading zeros.';
comment on function platform.text_hash(text) is 'A number of 56 bits that is the same for the same text on every server.';
comment on function platform.parse_id(text) is
'The bucket of an identifier: a positive integer of at most 18 digits itself; the first of 16 negative keys for any other text of at most 200 characters.';
comment on function platform.parse_short_id(text) is
'The bucket of a customer or a product: a positive integer of at most 14 digits itself; else the first of 16 keys above -2^47.';
comment on function platform.plain_id(boolean, text) is 'platform.parse_id, without its pattern for a plain row.';
comment on function platform.bucket(bigint) is 'The bucket of a key: the first of the 16 keys of a hash; a number itself.';
comment on function platform.is_same_key(bigint, bigint) is 'Whether two keys are the same; false for null.';
comment on function platform.parse_integer(text) is 'An integer of at most 9 digits.';
comment on function platform.parse_money(text) is 'An amount with at most 10 digits and 2 decimals.';
comment on function platform.is_date(text) is 'Whether the text is a day of the calendar of 1900 to 2099, as YYYY-MM-DD.';
comment on function platform.parse_date(text) is 'A date written YYYY-MM-DD.';
comment on function platform.parse_time(text) is 'A time of day written HH:MM or HH:MM:SS.';
comment on function platform.parse_timestamp(text) is 'An ISO 8601 timestamp; UTC if it has no offset.';
comment on function platform.key_of(text) is 'A deterministic surrogate key of a text: 52 bits of its MD5.';

-- What is wrong with the currency that an order or a product names: a connector names one where it had no rate to convert
-- with. The table is in 210_platform.sql.
create or replace function platform.currency_fault(currency text, day date) returns text
language plpgsql stable parallel safe as $$
begin
    return (
        select
            case
                when $1 !~ '^[A-Z]{3}$' then 'currency: not an ISO 4217 code'
                when $1 <> reporting.currency
                    then format('currency: no rate from %s to %s for %s', $1, reporting.currency, $2)
            end
        from platform.reporting_currency as reporting
    );
end
$$;

comment on function platform.currency_fault(text, date) is
'What is wrong with the currency that a row names; null if it is the reporting currency, or none.';
