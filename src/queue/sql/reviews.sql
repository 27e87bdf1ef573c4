-- What waits for people, and what retention did and will do within a week, as the workers that live are told.
with ended as materialized (
  select coalesce(r.verdict, d.ended) as state, d.ended_at, r.made_at as reviewed_at
  from civicum.document d left join lateral civicum.said(d.id, d.ended_at) r on true
  where d.deleted_at is null and d.ended is not null
)
select
  count(*) filter (where state = 'done') as waiting,
  count(*) filter (where state in ('failed', 'quarantined')) as failed,
  count(*) filter (where state = 'accepted') as accepted,
  count(*) filter (where state = 'rejected') as rejected,
  coalesce(extract(epoch from now() - min(ended_at) filter (where state = 'done')), 0)::float8 as oldest_wait,
  count(*) filter (where reviewed_at is null and state <> 'cancelled' and ended_at < now() - ((select min(keep_unreviewed) from civicum.worker where lost_at is null) - 7) * interval '1 day') as soon_deleted,
  (select count(*) from civicum.document where deleted_at is not null) as deleted,
  (select count(*) from civicum.document where deleted_at is not null and deleted_unreviewed) as deleted_unreviewed,
  (select count(*) from civicum.trash) as files_to_delete
from ended
