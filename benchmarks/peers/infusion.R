# The shared problem of the peers: single infusions, rows SD == 1, starts log CL 1.6, log V 4.5,
# variances 0.15, proportional residual SD 0.3. Objectives are on NONMEM's scale, without n log(2 pi).

read_infusion <- function(path) {
  rows <- read.csv(path)
  rows <- rows[rows$SD == 1, ]
  doses <- rows[rows$EVID == 1, c("ID", "TIME", "AMT", "RATE")]
  stopifnot(!anyDuplicated(doses$ID), doses$TIME == 0, doses$RATE > 0)
  seen <- merge(rows[rows$EVID == 0, c("ID", "TIME", "DV")], doses[, c("ID", "AMT", "RATE")])
  seen <- seen[order(seen$ID, seen$TIME), ]
  seen$STOP <- seen$AMT / seen$RATE
  seen
}

# The result of `task` and the median time of five runs after a first one.
timed <- function(task) {
  result <- task()
  list(result = result, seconds = median(replicate(5, system.time(task())[["elapsed"]])))
}

report <- function(seconds, objective, evaluations, status) {
  cat(sprintf("%.4f,%.6f,%d,%s\n", seconds, objective, as.integer(evaluations), status))
}
