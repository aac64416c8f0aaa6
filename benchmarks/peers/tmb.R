# TMB's Laplace approximation with exact gradients. Usage: Rscript tmb.R DATA.csv [FOLDER of the compiled model]
# Prints seconds,objective,evaluations,status; compilation is timed apart, on standard error.

suppressPackageStartupMessages(library(TMB))
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "infusion.R"))

arguments <- commandArgs(TRUE)
folder <- if (length(arguments) > 1) arguments[2] else tempdir()
dir.create(folder, showWarnings = FALSE, recursive = TRUE)
source_file <- file.path(folder, "infusion.cpp")
invisible(file.copy(file.path(here, "infusion.cpp"), source_file, overwrite = TRUE, copy.date = TRUE))
command <- sprintf('TMB::compile("%s", flags = "-O2")', source_file)
compilation <- system.time(
  system2(file.path(R.home("bin"), "Rscript"), c("-e", shQuote(command)), stdout = FALSE, stderr = FALSE)
)[["elapsed"]]
message(sprintf("compiled in %.1f s", compilation))
dyn.load(dynlib(file.path(folder, "infusion")))

data <- read_infusion(arguments[1])
subject <- as.integer(factor(data$ID)) - 1L
n <- max(subject) + 1L
attempt <- function() {
  problem <- MakeADFun(
    list(y = data$DV, time = data$TIME, rate = data$RATE, stop = data$STOP, subject = subject),
    list(theta = c(1.6, 4.5), log_omega = rep(0.5 * log(0.15), 2), log_sigma = log(0.3), eta = matrix(0, n, 2)),
    random = "eta", DLL = "infusion", silent = TRUE
  )
  nlminb(problem$par, problem$fn, problem$gr)
}
run <- timed(attempt)
fit <- run$result
status <- if (fit$convergence == 0) "converged" else "not converged"
report(run$seconds, 2 * fit$objective, fit$evaluations[["function"]], status)
