from django.urls import path

from pairselect.designs import views

app_name = "designs"
urlpatterns = [
    path("", views.design_list, name="designs"),
    path("new/", views.design_new, name="design_new"),
    path("new/budget/", views.budget_said, name="budget"),
    path("plans/<int:pk>/", views.plan_detail, name="plan"),
    path("<int:pk>/", views.design_detail, name="design"),
    path("<int:pk>/again/", views.design_again, name="design_again"),
]
