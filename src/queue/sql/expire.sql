-- $1 days after a review or a cancelling, $2 days after the end of what nobody reviewed; null keeps for ever; $3 how many at most.
-- The rows lose what they say of a document, and its files are looked at later. Says which went, and whether unreviewed.
with due as materialized (
  select d.id, r.verdict is null and d.ended <> 'cancelled' as unreviewed
  from civicum.document d left join lateral civicum.said(d.id, d.ended_at) r on true
  where d.deleted_at is null
    and d.ended_at < now() - least($1::float8, $2::float8) * interval '1 day'
    and case
      when r.verdict is not null then r.made_at < now() - $1 * interval '1 day'
      when d.ended = 'cancelled' then d.ended_at < now() - $1 * interval '1 day'
      else d.ended_at < now() - $2 * interval '1 day'
    end
  order by d.ended_at
  limit $3
  for update of d skip locked
), gone as (
  update civicum.document d set deleted_at = now(), deleted_unreviewed = due.unreviewed, name = '', request_key = null
  from due where d.id = due.id
  returning d.id, d.sha256, due.unreviewed
), results as (
  delete from civicum.result r using gone where r.document_id = gone.id returning r.sha256
), notes as (
  update civicum.review r set note = null from gone where r.document_id = gone.id
), files as (
  insert into civicum.trash (sha256) select sha256 from gone union select sha256 from results
  on conflict (sha256) do nothing
)
select id, unreviewed from gone
