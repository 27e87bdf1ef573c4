-- $1 jobs, $2 fences, $3 how long until they are due again (ms): given back unfinished on purpose, so the attempt does not count.
with free as (
  update civicum.job j
  set status = 'pending', attempt = attempt - 1, worker_id = null, lease_until = null, deadline = null, run_at = now() + $3 * interval '1 ms',
    progress_done = 0, progress_total = 0
  from unnest($1::bigint[], $2::integer[]) as held (id, fence)
  where j.id = held.id and j.fence = held.fence and j.status = 'running'
  returning j.id
)
select count(pg_notify('civicum_job', '')) from free
