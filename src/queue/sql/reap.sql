-- $1 the class of the workers' locks. Jobs whose lease or deadline has passed, or whose worker's session ended, are given
-- back. A lease that has passed is no crash: the network may have been away. A session that is gone must be found gone twice, a second apart, and not just after the server's own start: then
-- all sessions are gone at once, and their workers come back.
with alive as materialized (
  select objid::bigint::integer as id from pg_locks
  where locktype = 'advisory' and classid = $1::integer::oid and objsubid = 2 and granted
    and database = (select oid from pg_database where datname = current_database())
), marked as (
  update civicum.worker w set lost_at = case when a.id is null then coalesce(w.lost_at, now()) end
  from civicum.worker x left join alive a on a.id = x.id
  where w.id = x.id and (w.lost_at is null) = (a.id is null)
), lost as (
  select j.id, j.fence, j.deadline < now() or gone.yes as crash
  from civicum.job j, lateral (
    select exists (select from civicum.worker w where w.id = j.worker_id and w.lost_at < now() - interval '900 ms'
                   and w.id not in (select id from alive)
                   and pg_postmaster_start_time() < now() - interval '10 s') as yes
  ) as gone
  where j.status = 'running' and (j.lease_until < now() or j.deadline < now() or gone.yes)
  for update of j skip locked
), back as (
  select g.job_id, g.became
  from (select crash, array_agg(id) as ids, array_agg(fence) as fences from lost group by crash) as l,
    civicum.give_back(l.ids, l.fences, 'its worker was lost', true, l.crash) as g
)
select job_id, became, (select count(pg_notify('civicum_job', '')) from back) from back
