# Patients of four hospitals that differ, and of a fifth table to judge by, which has some of all: each in a folder of its own.
# awk -v folder=FOLDER -f tables.awk
function gauss(    u) {
  do u = rand(); while (u == 0)
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * rand())
}

# One patient of hospital h as a line. Only hospital 2 treats the rare storage disease, which hides what the marker says.
function patient(h,    age, marker, pressure, ward, score) {
  age = mean_age[h] + 12 * gauss()
  marker = mean_marker[h] + gauss()
  pressure = 110 + 0.4 * age + 12 * gauss()
  ward = wards[h, 1 + int(n_wards[h] * rand())]
  if (h == 2 && rand() < 0.04) ward = "storage disease"
  score = 0.07 * (age - 55) + 1.2 * (marker - 2) + (ward == "surgery" ? 2.5 : 0) + (ward == "storage disease" ? 6 : 0)
  score += 0.6 * gauss()
  return sprintf("%.0f,%.2f,%s,%s,%s", age, marker, rand() < 0.05 ? "" : sprintf("%.0f", pressure), ward,
                 score > 0 ? "yes" : "no")
}

function begin_hospital(h, n, age, marker, list,    i, names) {
  n_patients[h] = n
  mean_age[h] = age
  mean_marker[h] = marker
  n_wards[h] = split(list, names, ",")
  for (i = 1; i <= n_wards[h]; i++) wards[h, i] = names[i]
}

BEGIN {
  srand(11)
  header = "age,marker,pressure,ward,complication"
  begin_hospital(0, 500, 72, 1.2, "surgery,inner")
  begin_hospital(1, 150, 30, 3.2, "inner,eye")
  begin_hospital(2, 800, 50, 2.2, "surgery,eye,inner")
  begin_hospital(3, 250, 62, 1.6, "inner")

  for (h = 0; h < 4; h++) {
    file = folder "/hospital-" h "/patients.csv"
    print header >file
    for (i = 0; i < n_patients[h]; i++) print patient(h) >file
    close(file)
  }
  file = folder "/new-patients.csv"
  print header >file
  for (i = 0; i < 2000; i++) print patient(i % 4) >file
}
