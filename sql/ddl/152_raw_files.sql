-- What the source gave last for each feed and day: a raw file that differs was changed by somebody, and a landed one is new.
create table platform.raw_files (
    feed text not null,
    partition_date date not null,
    sha256 text not null,
    previous_sha256 text,
    bytes bigint not null,
    modified_ns bigint not null,
    primary key (feed, partition_date)
);

comment on table platform.raw_files is 'What the source gave last for each feed and day, whether it was written to the raw folder or not.';
comment on column platform.raw_files.feed is 'The feed.';
comment on column platform.raw_files.partition_date is 'The day.';
comment on column platform.raw_files.sha256 is 'SHA-256 of the content, in hexadecimal digits.';
comment on column platform.raw_files.previous_sha256 is 'That of the content before: a run that dies leaves either in the raw folder.';
comment on column platform.raw_files.bytes is 'Its length.';
comment on column platform.raw_files.modified_ns is 'Time of change of the landed file, in nanoseconds since 1970; 0 for the synthetic shop.';

-- A file that is refused leaves nothing behind by which a page could see that its day is missing.
create table platform.refused_files (
    feed text not null,
    partition_date date not null,
    primary key (feed, partition_date)
);

comment on table platform.refused_files is 'Feeds and days whose last file could not be taken.';
comment on column platform.refused_files.feed is 'The feed.';
comment on column platform.refused_files.partition_date is 'The day.';

grant select, insert, update, delete on platform.raw_files, platform.refused_files to loader;
