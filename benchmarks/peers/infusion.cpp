// One compartment, single infusion from time 0, log-normal CL and V without correlation, proportional error.
// The negative log likelihood leaves out the constant of log(2 pi) of the observations, as NONMEM does.
#include <TMB.hpp>

template <class Type>
Type objective_function<Type>::operator()() {
  DATA_VECTOR(y);
  DATA_VECTOR(time);
  DATA_VECTOR(rate);
  DATA_VECTOR(stop);
  DATA_IVECTOR(subject);
  PARAMETER_VECTOR(theta);
  PARAMETER_VECTOR(log_omega);
  PARAMETER(log_sigma);
  PARAMETER_MATRIX(eta);

  Type value = 0;
  for (int i = 0; i < eta.rows(); i++)
    for (int p = 0; p < 2; p++) value -= dnorm(eta(i, p), Type(0), exp(log_omega(p)), true);
  for (int j = 0; j < y.size(); j++) {
    Type cl = exp(theta(0) + eta(subject(j), 0));
    Type k = cl / exp(theta(1) + eta(subject(j), 1));
    Type on = CppAD::CondExpLt(time(j), stop(j), time(j), stop(j));
    Type f = rate(j) / cl * (Type(1) - exp(-k * on)) * exp(-k * (time(j) - on));
    Type residual = (y(j) - f) / (f * exp(log_sigma));
    value += Type(0.5) * residual * residual + log(f) + log_sigma;
  }
  return value;
}
