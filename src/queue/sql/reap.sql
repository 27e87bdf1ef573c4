-- $1 the class of the workers' locks, $2 the worker that asks. Jobs whose lease or deadline has passed, or whose worker's session ended, are given
-- back. A session that is gone must be found gone twice, a second apart, and not just after the server's own start: then
-- all sessions are gone at once, and their workers come back.
-- A crash is: a worker whose session ended while this very server ran, and it was not the server that ended it (where he comes back he
-- takes it back: the network was away); or one that lives and renews the lease of a job whose deadline has passed. A lease that has
-- passed is none, nor is a deadline that passed while the host was off, or asleep.
-- Who asks is alive: that his own lease has passed tells only that the database kept him waiting, or that the clock was put right.
with alive as materialized (
  select objid::bigint::integer as id from pg_locks
  where locktype = 'advisory' and classid = $1::integer::oid and objsubid = 2 and granted
    and database = (select oid from pg_database where datname = current_database())
), marked as (
  update civicum.worker w set lost_at = case when a.id is null then coalesce(w.lost_at, now()) end
  from civicum.worker x left join alive a on a.id = x.id
  where w.id = x.id and (w.lost_at is null) = (a.id is null)
), lost as (
  select j.id, j.fence,
    case when a.id is null then coalesce(w.held_at > pg_postmaster_start_time(), false)
      else j.deadline < now() and j.lease_until >= now() end as crash
  from civicum.job j left join civicum.worker w on w.id = j.worker_id left join alive a on a.id = j.worker_id
  where j.status = 'running' and case
      when a.id is not null or w.id is null then j.lease_until < now() and j.worker_id is distinct from $2 or j.deadline < now()
      else w.lost_at < now() - interval '900 ms' and (j.lease_until < now() or pg_postmaster_start_time() < now() - interval '10 s')
    end
  for update of j skip locked
), back as (
  select g.job_id, g.became
  from (select crash, array_agg(id) as ids, array_agg(fence) as fences from lost group by crash) as l,
    civicum.give_back(l.ids, l.fences, 'its worker was lost', true, l.crash, true) as g
)
select job_id, became, (select count(pg_notify('civicum_job', '')) from back) from back
