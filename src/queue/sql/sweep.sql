-- $1 files by their SHA-256, $2 when each was written (Unix seconds). Those that no row names are looked at once more in a day, and go.
-- What is older than the tables was never theirs.
insert into civicum.trash (sha256, since)
select f.sha256, now() + interval '1 day' from unnest($1::text[], $2::float8[]) as f (sha256, written)
where to_timestamp(f.written) > (select min(made_at) from civicum.migration)
  and not exists (select from civicum.document d where d.sha256 = f.sha256 and d.deleted_at is null)
  and not exists (select from civicum.result r where r.sha256 = f.sha256)
on conflict (sha256) do nothing
