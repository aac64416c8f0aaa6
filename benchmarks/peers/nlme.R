# nlme's alternating, linearised likelihood. Usage: Rscript nlme.R DATA.csv
# Prints seconds,objective,evaluations,status; evaluations are its outer iterations, and the objective is that of the
# linearised model, which is not FOCE-I. It starts at log CL 1.5, log V 4: from the 1.6, 4.5 of the others it ends without an
# error 1,800 points higher, with no variance of V.

suppressPackageStartupMessages(library(nlme))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "infusion.R"))

infusion <- function(lcl, lv, time, rate, stop) {
  cl <- exp(lcl)
  k <- cl / exp(lv)
  on <- pmin(time, stop)
  after <- time - on
  decay <- exp(-k * after)
  f <- rate / cl * -expm1(-k * on) * decay
  slope <- rate / cl * decay * k * (on * exp(-k * on) + after * expm1(-k * on))
  attr(f, "gradient") <- cbind(lcl = -f + slope, lv = -slope)
  f
}

data <- groupedData(DV ~ TIME | ID, read_infusion(commandArgs(TRUE)[1]))
attempt <- function() {
  nlme(
    DV ~ infusion(lcl, lv, TIME, RATE, STOP), data = data, method = "ML",
    fixed = lcl + lv ~ 1, random = pdDiag(lcl + lv ~ 1),
    weights = varPower(fixed = 1), start = c(lcl = 1.5, lv = 4)
  )
}
run <- timed(function() tryCatch(attempt(), error = identity))
fit <- run$result
if (inherits(fit, "error")) {
  message(conditionMessage(fit))
  report(run$seconds, NA, NA, "failed")
} else {
  constant <- nrow(data) * log(2 * pi)
  report(run$seconds, -2 * as.numeric(logLik(fit)) - constant, fit$numIter, "converged")
}
